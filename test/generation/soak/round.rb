# frozen_string_literal: true

require "securerandom"

module GenerationSoak
  # So many generations at once, a fault in the middle, and what has to hold afterwards.
  class Round
    # Seconds that may pass, beside the lease, until what a dead worker has left is seen to; and that the machine may be slow by.
    LOOK = 5
    SLACK = 20

    def initialize(site, answers, faults, random, options)
      @site = site
      @answers = answers
      @faults = faults
      @random = random
      @open, @lease = options.fetch_values(:open, :lease)
    end

    # The mistakes, an Array.
    def play(fault)
      @answers.cuts = (fault == :cut ? -> { @random.rand(Answers::EVENTS * 2) } : nil)
      @site.work
      @names = Array.new(@open) { SecureRandom.alphanumeric(12) }
      @ids = @site.web.run("#{@names.map { |name| @answers.url(name) }.inspect}.map { |url| start(url) }")
      wait(60) { @names.count { |name| @answers.of(name).any? } > @open * 2 / 3 }
      @fault_seconds = @faults.call(fault, @random, @lease)
      @seconds = until_final(bound(fault))
      sleep(1) # for whoever would write what he should not
      check
    end

    def summary
      "#{@open} generations, #{@states&.tally&.map { |state, count| "#{count} #{state}" }&.join(", ")}, #{@requests} requests, " \
        "#{@unsent} rows whose request was never sent, the last final #{@seconds&.round(1)} s after the fault"
    end

    private

    # Seconds in which each is in its final state: one more answer and those that wait for a worker; of cuts the pauses between attempts.
    def bound(fault) = @lease + LOOK + (Answers::SECONDS * 2) + SLACK + (fault == :cut ? 60 : 0)

    def until_final(seconds)
      started = now
      wait(seconds) { @site.web.run("Answer.in_progress.count").zero? }
      now - started
    end

    def check
      @states, @requests, @unsent = [], 0, 0
      @names.zip(@ids).flat_map { |name, id| mistakes_of(name, @site.web.run("look(#{id})")).map { |mistake| "generation #{id}: #{mistake}" } }
    end

    def mistakes_of(name, seen)
      said = @answers.of(name)
      rows = seen["requests"]
      @states << seen["status"]
      @requests += said.size
      @unsent += [rows.size - said.size, 0].max
      [
        ("is #{seen["status"]}, its log #{seen["log"].inspect}" if seen["status"] == "processing" || seen["status"] != seen["log"]),
        ("#{said.size} requests, #{rows.size} rows: #{rows}" if said.size > rows.size),
        ("a row without its outcome: #{rows}" if rows.any? { |_, outcome| outcome.nil? }),
        ("the row's text is not the log's" if seen["content"] != seen["text"]),
        text_mistake(seen, said)
      ].compact
    end

    # What is complete is the whole; what is not is the beginning, of one answer and not of two.
    def text_mistake(seen, said)
      return ("completed with #{seen["text"].inspect}" if said.none? { |one| one.whole && one.text == seen["text"] }) if seen["status"] == "completed"

      "#{seen["status"]} with #{seen["text"].inspect}" unless seen["text"].empty? || said.any? { |one| one.text.start_with?(seen["text"]) }
    end

    def wait(seconds)
      deadline = now + seconds
      sleep(0.1) until yield || now > deadline
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
