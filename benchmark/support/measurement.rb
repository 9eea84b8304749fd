# frozen_string_literal: true

require_relative "contest"

module Bench
  # What the rounds of a load found, entry by entry.
  class Measurement
    attr_reader :load

    def initialize(load)
      @load = load
      @found = Hash.new { |all, entry| all[entry] = [] }
    end

    # result: loadgen's Hash.
    def add(entry, result)
      raise Contest::Different, "#{entry} lost the order of tokens" if result[:out_of_order].positive?

      @found[entry] << result
    end

    def entries = @found.keys

    def include?(entry) = @found.key?(entry)

    # Milliseconds. point: :p50, :p90, :p99 or :max
    def delay(entry, point) = median(entry) { |result| result[:delay_us][point] / 1000.0 }

    def first_token(entry) = median(entry) { |result| result[:first_token_ms][:p50] }

    # In the first round, where connections are new.
    def first_token_at_first(entry) = @found[entry].first&.dig(:first_token_ms, :p50)

    # Microseconds for a token.
    def cpu(entry) = median(entry) { |result| result[:cpu_s] * 1e6 / [result[:tokens], 1].max }

    # The same without starts and ends: while all streams were running.
    def running_cpu(entry)
      median(entry) { |result| result.dig(:running, :tokens).to_i.positive? && (result[:running][:cpu_s] * 1e6 / result[:running][:tokens]) }
    end

    # KB for a stream, by which the server grew. A process grows once: the median is of rounds with new servers, or the first round's.
    def memory(entry, fresh: false) = fresh ? median(entry) { |result| result[:kb_per_stream] } : @found[entry].first&.fetch(:kb_per_stream)

    # Of the running streams, in milliseconds, while newcomers waited for their first tokens.
    def beside(entry, point) = median(entry) { |result| result[:beside][:tokens].positive? && (result[:beside][:delay_us][point] / 1000.0) }

    def newcomers_first_token(entry) = median(entry) { |result| result[:beside][:first_token_ms][:p50] }

    # Streams of all rounds without all their tokens or without an end.
    def cut(entry) = @found[entry].sum { |result| result[:incomplete] + result.dig(:beside, :incomplete).to_i }

    # nil where nothing was found.
    def median(entry, &value)
      numbers = @found.fetch(entry, []).map(&value).select { |number| number }
      Bench.median(numbers) unless numbers.empty?
    end
  end
end
