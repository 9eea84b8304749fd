# frozen_string_literal: true

require "delegate"

module Trials
  # A writer's store, in whose process death comes at one point of one of its appends.
  class FragileStore < SimpleDelegator
    # Before anything was sent; within the transaction; when it is done and the answer has not come; before others are woken; after that.
    POINTS = %i[before within after wake woken].freeze

    # append: the how-manieth of the process.
    def initialize(store, point, append, statements)
      super(store)
      @point = point
      @append = append
      @statements = statements
      @count = 0
    end

    def append(appends)
      @count += 1
      die if at?(:before)
      within { super }.tap { die if at?(:after) }
    end

    def wake(keys)
      die if at?(:wake)
      super
      die if at?(:woken)
    end

    private

    def at?(point) = @point == point && @count >= @append

    def die = Process.kill(:KILL, Process.pid).then { sleep }

    def within
      return yield unless at?(:within) && @statements.positive?

      left = @statements
      note = ->(*) { (left -= 1).zero? && die }
      ActiveSupport::Notifications.subscribed(note, "sql.active_record") { yield }
    end
  end
end
