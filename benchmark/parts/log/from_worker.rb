# frozen_string_literal: true

require_relative "../../support/log_part"

module Bench
  # How long a message takes from a worker to a browser of another process.
  class FromWorker < LogPart
    NAME = "worker"
    NOTE = <<~TEXT
      A worker hands messages over (`writer << text`, or `ActionCable.server.broadcast`), seven a second for each reader, and a Puma of three
      threads in another process sends them to the readers' sockets; each reader has an answer of his own, as in a chat. The time is from before
      the call to the bytes in the browser's socket. Each round has new processes and databases. Solid Cable looks every 0.1 s, its default;
      its version 3, the last one for Ruby 3.1, is spared reading its configuration's file anew for each message, which version 4 does not do
      either. A worker that does not keep up hands over less: handed over says how much of what was wanted. pgbus is not among them: it
      needs Ruby 3.3.
    TEXT
    ENTRIES = LogContenders::ALL
    READERS = [250, 750].freeze
    PER_SECOND = 7
    MESSAGES = 28
    SECONDS = 6 * (4 + (2 * 7))
    LIMITS = { SQLITE => 0.15, POSTGRESQL => 0.15, REDIS => 0.6 }.freeze

    private

    def measure
      @found = Hash.new { |all, key| all[key] = [] }
      @rounds.times do |round|
        entries.each do |contender|
          @sites.with(contender) do |site|
            same_output(site)
            counts.each do |count|
              progress("round #{round + 1} of #{@rounds}: #{count} readers: #{contender}")
              @found[[count, contender]] << measure_one(site, count)
            end
          end
        end
      end
    end

    def counts = @reduced ? [20, 40] : READERS

    def measure_one(site, count)
      prefix = "of#{count}"
      site.worker.tell(:begin, prefix: prefix, count: count)
      readers = site.readers(prefix, count, MESSAGES)
      sent = site.worker.tell(:send, per_second: PER_SECOND, messages: MESSAGES)
      found = readers.result(sent[:sent])
      site.worker.tell(:close)
      faultless!(site.contender, found)
      { **found, sent: sent }
    end

    def show
      counts.each do |count|
        @report.note("#{count} readers, #{PER_SECOND} messages a second each.")
        @report.table(["", "p50 ms", "p95 ms", "p99 ms", "handed over", "lost", "out of order", "worker CPU us/message", "web CPU us/message"],
                      entries.map { |contender| row(contender, @found[[count, contender]]) })
        LIMITS.slice(*entries).each { |ours, limit| judge(count, ours, limit) }
      end
    end

    def row(contender, results)
      wanted = results.first[:readers] * MESSAGES
      [contender.name, *%i[p50 p95 p99].map { |point| number(delay(results, point)) },
       "#{number(median(results) { |result| 100.0 * result[:sent][:sent] / wanted })} %",
       *%i[lost out_of_order].map { |what| results.sum { |result| result[what] }.to_s },
       number(median(results) { |result| result[:sent][:cpu_s] * 1e6 / result[:sent][:sent] }),
       number(median(results) { |result| result[:cpu_s] * 1e6 / result[:received] })]
    end

    def delay(results, point) = median(results) { |result| result[:delay_us][point] / 1000.0 }

    def judge(count, ours, limit)
      rival = RIVALS.fetch(ours)
      %i[p50 p95].each do |point|
        times = [ours, rival].map { |contender| delay(@found[[count, contender]], point) }
        target("#{ours}, #{count} readers: #{point} against #{rival}", "<= #{limit}", times.first / times.last, "×")
      end
    end
  end
end
