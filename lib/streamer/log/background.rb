# frozen_string_literal: true

require "securerandom"
require "socket"

module Streamer
  class Log
    # What a process does for all its logs of one store, on threads that are there while there is something to do. A forked child makes its
    # own.
    class Background # :nodoc:
      # Seconds that a process's last entries have to be stored in when it ends.
      EXIT = 5
      private_constant :EXIT

      @lock = Mutex.new
      @all = {}.compare_by_identity

      class << self
        def of(store)
          @lock.synchronize do
            @all = {}.compare_by_identity unless @pid == Process.pid
            @pid = Process.pid
            @all[store] ||= new(store)
          end
        end

        # From now on the process's exit is a time to store what is not stored yet.
        def watch_exit
          @lock.synchronize do
            return if @exit_pid == Process.pid

            @exit_pid = pid = Process.pid
            at_exit { finish_all if Process.pid == pid }
          end
        end

        # Upstreams that are read into logs end first.
        def finish_all
          Relay::Registry.drain_at_exit
          all.each(&:finish)
        end

        # Those of this process.
        def all
          @lock.synchronize { @pid == Process.pid ? @all.values : [] }
        end
      end

      attr_reader :store, :committer, :lease_keeper, :reaper, :followers

      def initialize(store)
        @store = store
        @committer = Committer.new(store)
        @lease_keeper = LeaseKeeper.new(store, lease: Log.lease)
        @reaper = Reaper.new(self)
        @followers = Followers.new(self)
      end

      # The Writer of a new attempt; nil when another one is at work, and for a closed log. Raises UnknownLogError.
      def claim(key, mode:)
        lease_keeper.reserve(key) { begin_attempt(key, mode) }
      end

      # At the process's end: stores what was added, for EXIT seconds at most, and gives the logs up that are still being written.
      def finish
        deadline = Clock.now + EXIT
        writers = lease_keeper.writers
        writers.each { |writer| writer.settle_by(deadline) }
        writers.each(&:abandon)
      end

      private

      def begin_attempt(key, mode)
        now = Clock.now
        before = store.heads([key])[key] or raise UnknownLogError, key
        mode = "continue" if before.stop? # all that is left to do is to close it with what has come
        head = store.claim(key, owner: lease_keeper.owner, lease: lease_keeper.lease, mode: mode) or return
        store.wake([key])
        attempt = Attempt.new(head, owner: lease_keeper.owner, lease: lease_keeper.lease, now: now)
        resume(attempt, head) if head.text_epoch < head.epoch
        begin_writing(Writer.new(attempt, self))
      end

      def begin_writing(writer)
        Background.watch_exit
        lease_keeper.add(writer)
        committer.notify(writer) if writer.stopped?
        writer
      end

      # Reads what the attempts before have written.
      def resume(attempt, head)
        store.text(head.key).each { |piece| attempt.resume(piece.text) }
        after = [head.compacted, Position.new(head.text_epoch, 0)].max
        while (batches = store.read({ head.key => after })[head.key])
          batches.each { |batch| resume_batch(attempt, batch, after) }
          after = batches.last.last
        end
      end

      def resume_batch(attempt, batch, after)
        frames = batch.after(after)
        batch.entries(after: after).zip(Frames.split(frames)) { |entry, frame| attempt.resume_entry(entry, frame) }
      end
    end
  end
end
