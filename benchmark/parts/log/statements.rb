# frozen_string_literal: true

require_relative "../../support/log_part"

module Bench
  # What many writers ask of the database.
  class Statements < LogPart
    NAME = "statements"
    NOTE = <<~TEXT
      500 logs, 20 tokens a second each, written by one process and each followed by a reader in another. Statements are both processes',
      those that begin and end transactions included; on Redis, commands, those within scripts included.
    TEXT
    ENTRIES = LogContenders::OURS
    LOGS = 500
    PER_SECOND = 20
    MESSAGES = 100
    SECONDS = 3 * (4 + 10)

    private

    def measure
      @found = entries.to_h { |contender| [contender, []] }
      @rounds.times do |round|
        @found.each do |contender, results|
          progress("round #{round + 1} of #{@rounds}: #{contender}")
          @sites.with(contender) { |site| results << measure_one(site) }
        end
      end
    end

    def logs = @reduced ? 50 : LOGS

    def messages = @reduced ? 20 : MESSAGES

    def measure_one(site)
      same_output(site)
      site.worker.tell(:begin, prefix: "log", count: logs)
      readers = site.readers("log", logs, messages)
      before = counted(site)
      sent = site.worker.tell(:send, per_second: PER_SECOND, messages: messages)
      found = readers.result(sent[:sent])
      read = counted(site) - before
      faultless!(site.contender, found)
      site.worker.tell(:close)
      { **found, sent: sent, statements: site.contender.store == "redis" ? [read, 0] : [sent[:statements], read] }
    end

    # The web server's statements so far, or all of Redis' commands.
    def counted(site)
      return @sites.redis.info("stats").fetch("total_commands_processed").to_i if site.contender.store == "redis"

      Integer(site.web.get("/statements"))
    end

    def show
      @report.table(["", "statements/token, writing", "reading", "commits/s", "worker CPU us/token", "web CPU us/token", "handed over", "p50 ms",
                     "p99 ms"],
                    @found.map { |contender, results| row(contender, results) })
      (entries - [REDIS]).each do |contender|
        by_token = median(@found[contender]) { |result| result[:statements].sum.fdiv(result[:received]) }
        target("#{contender}: statements by token", "<= 0.1", by_token, "")
      end
      target("#{SQLITE}: commits", "<= 50", commits(@found[SQLITE]), "/s") if entries.include?(SQLITE)
    end

    def row(contender, results)
      [contender.name, *[0, 1].map { |place| number(median(results) { |result| result[:statements][place].fdiv(result[:received]) }) },
       contender.store == "redis" ? "–" : number(commits(results)),
       number(median(results) { |result| result[:sent][:cpu_s] * 1e6 / result[:received] }),
       number(median(results) { |result| result[:cpu_s] * 1e6 / result[:received] }),
       "#{number(median(results) { |result| 100.0 * result[:sent][:sent] / (logs * messages) })} %",
       *%i[p50 p99].map { |point| number(median(results) { |result| result[:delay_us][point] / 1000.0 }) }]
    end

    def commits(results) = median(results) { |result| result[:sent][:commits] / result[:sent][:seconds] }
  end
end
