# frozen_string_literal: true

module Streamer
  class Log
    # The thread of a process that stores what its writers have added: all of them in one round trip, so that a store's commits do not grow
    # with the writers.
    #
    # Where little is written an entry is stored at once. The more entries a commit had, the longer the next one waits for others, up to
    # PACE, unless a writer has ENTRIES or BYTES.
    class Committer # :nodoc:
      PACE = 0.025
      ENTRIES = 64
      BYTES = 4096

      # Writers in one commit at which the next one waits for the whole of PACE.
      CROWD = 64

      # The part of it that is left to others where the commit itself took as long.
      LEAST = 0.2

      # Seconds between tries while the store is away, from the first to the most.
      RETRY = (0.05..1.0)
      private_constant :CROWD, :LEAST, :RETRY

      # Whether this is the thread of one: what it wakes others for is what it has stored itself.
      def self.here? = Thread.current[:streamer_committer] == true

      def initialize(store)
        @store = store
        @announced = store.respond_to?(:announces?) && store.announces?
        @lock = Mutex.new
        @changed = ConditionVariable.new
        @ready = {}.compare_by_identity # Writer => true
        @urgent = false
      end

      # The writer has something to be stored. From any thread or fiber.
      def notify(writer)
        urgent = writer.urgent?(ENTRIES, BYTES)
        @lock.synchronize do
          waits = @ready.key?(writer) && (@urgent || !urgent)
          next if waits

          @ready[writer] = true
          @urgent ||= urgent
          @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-log" } unless @thread&.alive?
          @changed.signal if urgent || !@resting
        end
      end

      private

      def run
        Thread.current[:streamer_committer] = true
        pause = 0
        while (writers = wait(pause))
          pause = commit(writers)
        end
      rescue Exception => error # rubocop:disable Lint/RescueException -- all writers wait for this thread
        Streamer.report(error)
        @lock.synchronize { @thread = nil }
        raise unless error.is_a?(StandardError)
      end

      # Those that have something, after the pause; nil when there has been nobody for a while, and then this thread is nobody's.
      def wait(pause)
        @lock.synchronize do
          rest(pause)
          @changed.wait(@lock, 1) if @ready.empty?
          next @thread = nil if @ready.empty?

          @urgent = false
          @ready.keys.tap { @ready.clear }
        end
      end

      # The lock is held. Nobody wakes this thread for what can wait.
      def rest(pause)
        @resting = true
        due = Clock.now + pause
        @changed.wait(@lock, [due - Clock.now, 0].max) until @urgent || Clock.now >= due
      ensure
        @resting = false
      end

      # Seconds to wait before the next one, which is to begin PACE behind the beginning of this one.
      def commit(writers)
        now = Clock.now
        taken = writers.filter_map { |writer| protect(writer) { (append = writer.take(now)) && [writer, append] } }
        return 0 if taken.empty?

        store(taken)
        taken.map(&:first).each { |writer| notify(writer) if writer.ready? }
        pace = PACE * [taken.size, CROWD].min / CROWD
        [pace - (Clock.now - now), pace * LEAST].max
      end

      def store(taken)
        answers = attempt(taken) or return
        taken = taken.zip(answers)
        @store.wake(taken.filter_map { |(_, append), answer| append.key if answer.nil? }) unless @announced
        taken.each { |(writer, append), answer| protect(writer) { writer.settle(append, answer) } }
      end

      # The answers, however long the store is away; nil when nobody waits for them any more.
      def attempt(taken)
        delay = RETRY.begin
        begin
          @store.append(taken.map(&:last))
        rescue StoreUnavailableError => error
          Instrumentation.publish("store_unavailable", store: @store.name, error: error)
          sleep(delay)
          delay = [delay * 2, RETRY.end].min
          taken.select! { |writer, _| writer.ready? }
          retry unless taken.empty?
        rescue StandardError => error
          single_out(taken, error)
        end
      end

      # The store could not take them, and is there: each by itself, so that one that cannot be stored harms its own writer alone.
      def single_out(taken, error)
        return protect(taken.first.first) { raise error } if taken.one?

        taken.each { |one| store([one]) }
        nil
      end

      # Whatever goes wrong with one writer, the others need this thread. nil then.
      def protect(writer)
        yield
      rescue StandardError => error
        Streamer.report(error)
        writer.break_off(error)
        nil
      end
    end
  end
end
