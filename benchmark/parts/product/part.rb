# frozen_string_literal: true

require_relative "../../support/contest"
require_relative "../../support/report"
require_relative "site"

module Bench
  # One question to the whole of it: people, a web server, a queue, a worker, a model. What a part defines:
  #
  #   NAME, NOTE   on the command line, and what is measured
  #   arrivals     the moments at which people ask, in seconds from the start
  #   judge        what the design asks for
  class ProductPart
    WAYS = { "synchronous" => "the request waits, Net::HTTP", "streamed" => "Streamer::Generation, Solid Queue" }.freeze

    # Of the programs of a site and its first answers, and of an answer at most.
    START_SECONDS = 40
    PATIENCE = 30

    COLUMNS = ["", "page p50 s", "page p95 s", "first word p50 s", "behind the model's, p50 ms", "p95", "words, p95 ms", "timed out",
               "threads busy"].freeze
    private_constant :COLUMNS

    def initialize(report, reduced:)
      @report = report
      @reduced = reduced
    end

    def entries = WAYS.keys

    def seconds = WAYS.size * (START_SECONDS + arrivals.max + PATIENCE)

    def run
      @report.note(self.class::NOTE.tr("\n", " ").strip)
      @found = WAYS.keys.to_h { |way| [way, measure(way)] }
      show
      judge unless @reduced
    end

    # Whether both ways give all words of an answer, each once and in order: whoever asks fails where they do not.
    def check
      ProductSite.open(jobs: 2) do |site|
        WAYS.each_key { |way| raise Contest::Different, "#{way}: no answer" if site.users(way, [0])[:users].first[:timed_out] }
      end
    end

    private

    # Each in a site of its own: what people have given up keeps a web server busy.
    def measure(way)
      @report.progress("#{self.class::NAME}: #{arrivals.size} people: #{WAYS[way]}")
      ProductSite.open(jobs: arrivals.size) do |site|
        busy = site.busy
        found = site.users(way, arrivals)
        busy = (site.busy - busy) / (found[:seconds] * ProductSite::THREADS)
        { **found, busy: busy * 100, **(way == "streamed" ? of_worker(site) : {}) }
      end
    end

    def of_worker(site)
      { **site.figures, connections: site.connections, fibers: site.fibers? }
    end

    def show
      @report.table(COLUMNS, WAYS.map { |way, name| row(name, @found[way]) })
      note_worker(**@found["streamed"].slice(:waits_s, :fibers, :connections, :states, :requests))
    end

    def note_worker(waits_s:, fibers:, connections:, states:, requests:)
      half, most = [0.5, 0.95].map { |point| number(percentile(waits_s, point) * 1000) }
      @report.note("Of the first word's time the queue took #{half} ms (p50) and #{most} ms (p95): Solid Queue looks every 100 ms. The worker's " \
                   "jobs were #{fibers ? "fibers" : "threads"}; it has opened " \
                   "#{connections.map { |name, count| "#{count} connections to #{name}" }.join(", ")}. Requests at the model for " \
                   "#{states.values.sum} answers: #{requests}.")
    end

    def row(name, found)
      users = found[:users]
      pages, firsts = %i[page first].map { |what| users.filter_map { |user| user[what] } }
      behind = users.filter_map { |user| user[:behind_ms].first }
      words = users.flat_map { |user| user[:behind_ms] }
      figures = [[pages, 0.5], [pages, 0.95], [firsts, 0.5], [behind, 0.5], [behind, 0.95], [words, 0.95]]
      [name, *figures.map { |values, point| number(percentile(values, point)) }, "#{number(late(found))} %", "#{number(found[:busy])} %"]
    end

    def late(found) = 100.0 * found[:users].count { |user| user[:timed_out] } / found[:users].size

    def median(found, what) = percentile(found[:users].filter_map { |user| user[what] }, 0.5)

    def first_behind(found) = percentile(found[:users].filter_map { |user| user[:behind_ms].first }, 0.5)

    def percentile(values, point) = values.empty? ? nil : values.sort[((values.size - 1) * point).round]

    def number(value) = @report.number(value)

    def target(what, wanted, found, unit) = found && @report.target("#{self.class::NAME}: #{what}", wanted, found, unit)
  end
end
