# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # Many browsers at once, and each one's time to its first and only token.
  class FirstToken < Part
    NAME = "first"
    NOTE = <<~TEXT
      Many at once, one token each: the median time to it. Connections are kept from the second round on; the first round, in which
      all of them are new, has a column of its own. The action waits for no upstream and renders the token.
    TEXT
    LOADS = [Load.new(streams: 200, tokens: 1, us: 0, limit: 30)].freeze
    ACTION = Contenders::ACTION.over(PLAIN).first
    ENTRIES = [*Contenders::RELAY.over(*PROTOCOLS), ACTION].freeze

    # The first is not like the others, and each takes half a second.
    LEAST_ROUNDS = 5

    def initialize(report, **options)
      super
      @rounds = [@rounds, LEAST_ROUNDS].max unless @reduced
    end

    # The action whatever protocols are chosen.
    def entries = super | [ACTION]

    def compared = entries - [ACTION]

    private

    def show(found)
      time = ->(entry) { found.first_token(entry) }
      table("#{found.load.streams} at once, #{@rounds} rounds.", found,
            "first token ms" => number(&time), "against the action" => ->(entry) { @report.ratio(quotient(time.call(entry), time.call(ACTION))) },
            "in the first round" => number { |entry| found.first_token_at_first(entry) })
      compared.each do |entry|
        target("#{entry}, #{found.load.streams} at once: time to the first token against an action without an upstream", "<= 1.3",
               quotient(time.call(entry), time.call(ACTION)), "×")
      end
    end
  end
end
