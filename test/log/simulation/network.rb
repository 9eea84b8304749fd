# frozen_string_literal: true

module Simulation
  # The way to the store: others go on while a call is under way, and it may fail. Its answer may be lost, before or after it was done; it
  # may be done long after the caller has given up; and for a time the store may be away.
  class Network
    CALLS = %i[create heads claim append renew release stop read text overdue expired prune delete].freeze

    # How many of 1000 calls fail.
    attr_accessor :faults

    # The store is away until then.
    attr_accessor :away_until

    def initialize(store, scheduler)
      @store = store
      @scheduler = scheduler
      @away_until = 0
      @faults = 0
    end

    def name = :simulated

    def wake(_keys) = nil

    CALLS.each do |name|
      define_method(name) do |*arguments, **options|
        call(name, arguments, options)
      end
    end

    private

    def call(name, arguments, options)
      @scheduler.pass
      fault = @scheduler.random.rand(3) if @scheduler.random.rand(1000) < faults
      raise Streamer::StoreUnavailableError, "away" if @scheduler.now < away_until || fault&.zero?

      late(name, arguments, options) if fault == 1
      answer = @store.public_send(name, *arguments, **options)
      raise Streamer::StoreUnavailableError, "the answer is lost" if fault == 2

      @scheduler.pass
      answer
    end

    def late(name, arguments, options)
      seconds = @scheduler.random.rand(@scheduler.random.rand(2).zero? ? 0.5 : 12.0)
      @scheduler.spawn("late #{name}") do
        @scheduler.sleep(seconds)
        @store.public_send(name, *arguments, **options)
      end
      raise Streamer::StoreUnavailableError, "too late"
    end
  end
end
