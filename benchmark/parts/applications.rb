# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # What an application gains by the line that it changes.
  class Applications < Part
    NAME = "applications"
    NOTE = <<~TEXT
      What applications write, over https: each with HTTP/2 if it speaks that. Ratios are against Rails Live + Net::HTTP.
    TEXT
    LOADS = [Load.new(streams: 10, tokens: 100, us: 20_000, limit: 30)].freeze
    WAYS = [Contenders::RELAY, Contenders::EVENTS, Contenders::VALUES, Contenders::SSE, Contenders::LIVE, Contenders::OUR_OPENAI,
            Contenders::OPENAI, Contenders::OUR_LLM, Contenders::LLM, Contenders::FALCON, Contenders::ASYNC].freeze
    ENTRIES = WAYS.flat_map { |way| way.best(H2, H1) }.freeze

    def run
      Contenders.missing.each { |text| @report.progress(text) }
      super
    end

    private

    def show(found)
      cpu = ->(entry) { found.cpu(entry) }
      table("#{found.load}. For ruby-openai and ruby_llm, Faraday's adapter is the line that an application changes.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) }, "p99 ms" => number { |entry| found.delay(entry, :p99) },
            "first token ms" => number { |entry| found.first_token(entry) },
            "CPU us/token" => number(&cpu), "CPU against Live" => ratio(found, LIVE, &cpu))
      [RELAY, SSE].each { |way| targets(found, way, { H2 => "<= 2" }, "median delay", "ms") { |entry| found.delay(entry, :p50) } }
    end
  end
end
