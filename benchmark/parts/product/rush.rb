# frozen_string_literal: true

require_relative "part"

module Bench
  # Everybody at once.
  class Rush < ProductPart
    NAME = "rush"
    PEOPLE = 500
    NOTE = <<~TEXT
      The same two applications, and #{PEOPLE} people who ask within the same second. One worker has all jobs at once, with 3 connections each to
      the application's database and to the logs'.
    TEXT

    private

    def arrivals = Array.new(@reduced ? 50 : PEOPLE) { |index| index.fdiv(PEOPLE) }

    def judge
      streamed = @found.fetch("streamed")
      target("#{PEOPLE} people, timed out", "<= 0", late(streamed), "%")
      target("#{PEOPLE} people, first word, behind the model's", "<= 30", first_behind(streamed), "ms")
      opened = streamed[:connections].values_at("primary", "logs").max
      target("#{PEOPLE} people, connections of the worker", "<= #{ProductSite::CONNECTIONS}", opened, "")
    end
  end
end
