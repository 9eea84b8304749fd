# frozen_string_literal: true

require_relative "../support/part"

module Bench
  # What the relay costs, against the fastest that there are.
  class Steady < Part
    NAME = "steady"
    NOTE = <<~TEXT
      CPU is the server's, by token; "running" is without the streams' starts and ends. The delay of a token is from the upstream's
      queue to the load generator.
    TEXT
    LOADS = [Load.new(streams: 200, tokens: 400, us: 50_000, limit: 90)].freeze
    ENTRIES = PROTOCOLS.flat_map { |protocol| [Contenders::RELAY, Contenders::GO, Contenders::NGINX].flat_map { |way| way.over(protocol) } }.freeze

    private

    def show(found)
      cpu = ->(entry) { found.cpu(entry) }
      p99 = ->(entry) { found.delay(entry, :p99) }
      running = ->(entry) { found.running_cpu(entry) }
      table("#{found.load}. nginx speaks no HTTP/2 to upstreams: HTTP/2 is set against nginx over https with HTTP/1.1.", found,
            "p50 ms" => number { |entry| found.delay(entry, :p50) },
            "p99 ms" => number(&p99), "p99 against nginx" => ratio(found, NGINX, &p99),
            "first token ms" => number { |entry| found.first_token(entry) },
            "CPU us/token" => number(&cpu), "CPU against nginx" => ratio(found, NGINX, &cpu), "CPU against Go" => ratio(found, GO, &cpu),
            "running" => number(&running), "running against nginx" => ratio(found, NGINX, &running))
      judge(found, cpu, p99, running)
    end

    def judge(found, cpu, p99, running)
      targets_against(found, RELAY, GO, { H2 => 0.6, H1 => 0.7 }, "CPU", &cpu)
      targets_against(found, RELAY, NGINX, { H2 => 1.05, H1 => 1.2, PLAIN => 1.15 }, "CPU", &cpu)
      targets_against(found, RELAY, NGINX, { PLAIN => 1.1 }, "CPU of a token more", &running)
      targets_against(found, RELAY, NGINX, { H2 => 1.5, H1 => 1.5, PLAIN => 1.5 }, "p99", &p99)
    end
  end
end
