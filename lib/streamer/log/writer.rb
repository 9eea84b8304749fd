# frozen_string_literal: true

module Streamer
  class Log
    # Who writes a log: one attempt, from Log#claim or Log#write. Entries are stored in the background, at once or, where many come, in
    # batches; append waits only while more than MAX_WAITING bytes have not been stored.
    #
    # The lease is renewed in the background as well. Whoever loses it, to another attempt or because the store was away for too long, gets
    # FencedError at the next call; whoever was asked to stop (Log#stop), StoppedError. on_stop tells both at once. Any thread or fiber may
    # call any method; entries are in the order of the calls.
    class Writer
      # Bytes of all entries of an attempt: they are kept in memory until it ends, for a store that loses some.
      MAX_BYTES = 64 * 1024 * 1024

      # Bytes of entries that are not stored yet.
      MAX_WAITING = 1024 * 1024

      # Bytes of one entry's data.
      MAX_ENTRY = 16 * 1024 * 1024

      # The log's, a String.
      attr_reader :key

      def initialize(attempt, background) # :nodoc:
        @attempt = attempt
        @key = attempt.key
        @background = background
        @lock = Mutex.new
        @changed = Changes.new
        @on_stop = []
        @later = []
        @lent = false
        @characters = Characters.new
        @pid = Process.pid
      end

      # The number of this attempt, counted from 1.
      def epoch = @attempt.epoch

      # The Position of the last entry.
      def position = @lock.synchronize { @attempt.position }

      # Adds text: an entry `event: token` with { content: text }. Text may be cut within a character, so one caller at a time adds it. self.
      def <<(text)
        whole = @characters.whole(text)
        append({ content: whole }, event: "token") unless whole.empty?
        self
      end

      # Adds an entry. data: a String as it is, anything else as JSON; what a Hash has under "content" is part of the log's text. event: its
      # name, none of those that the log uses itself. The Position. Raises FencedError, StoppedError, LogClosedError, LogFullError,
      # EventTooLargeError, ArgumentError.
      def append(data, event: nil)
        check_event(event)
        raise ArgumentError, "an entry needs data; a browser dispatches no event without" if data.nil?

        add(Compactor.text_of(data)) { |position| Frames.entry(position, data, event: event) }
      end

      # Adds an entry `event: state` with { phase: phase, ... }: what the work is at, beside its text.
      def state(phase, **data)
        add(nil, kind: :state) { |position| Frames.entry(position, { phase: phase, **data }, event: "state") }
      end

      # Adds the frames of `count` entries that are numbered already, from position.next on. text: what they add to the log's text; others:
      # the frames of those that add none.
      def append_frames(frames, count, text:, others: "") # :nodoc:
        @lock.synchronize do
          wait_for_room
          add_frames(frames, count, text, others)
        end
        @background.committer.notify(self)
      end

      # Adds what an upstream answers, as Log#relay does, and leaves the log open: for an answer of several steps. Waits until the upstream has
      # ended; nothing else can be added meanwhile. The Relay::Result; it is yielded, too, where there is a block.
      #
      #   log.write do |out|
      #     calls = out.relay(chat).kept["tool_calls"]
      #     out.state("tools", names: calls)
      #     out.relay(chat_with(calls))
      #   end
      def relay(upstream, **options, &block)
        Intake.new(upstream, closes: false, **options).run(self).tap { |result| block&.call(result) }
      end

      # For a relay, which numbers its entries itself: nobody else adds any until it is given back. Raises as append. :nodoc: all.

      def lend # :nodoc:
        @lock.synchronize do
          refuse_lent
          check_open
          @lent = true
        end
        self
      end

      def give_back = @lock.synchronize { @lent = false } # :nodoc:

      # append_frames for whoever must not wait. Where there is room it yields, for the arguments of append_frames in an Array, or nil for
      # none, and returns true. Otherwise false, and calls `room`, once and from another thread, when there is, or nothing can be added.
      def offer_frames(room) # :nodoc:
        added = @lock.synchronize do
          check_open
          unless room?
            @later << [-> { over_or_stopping? || room? }, room]
            return false
          end
          yield&.then { |frames, count, text, others| add_frames(frames, count, text, others) }
        end
        @background.committer.notify(self) if added
        true
      end

      # Begins a close, and calls the block from another thread when there is an outcome.
      def begin_close(state, data, &block) # :nodoc:
        @lock.synchronize do
          @attempt.close(state, data) unless over_or_stopping?
          @later << [-> { @attempt.outcome }, block]
        end
        @background.committer.notify(self)
        run_later
      end

      # As Attempt#outcome.
      def outcome = @lock.synchronize { @attempt.outcome } # :nodoc:

      # What whoever wants to add something would get: an error, or nil.
      def refusal # :nodoc:
        @lock.synchronize { check_open }
        nil
      rescue LogError => error
        error
      end

      # Adds the last entry and waits until it is stored; state: completed, failed, cancelled or timed_out; data: what the application wants to
      # say with it. The state in which the log is: "cancelled" where somebody has asked for that first.
      def close(state = "completed", **data)
        raise ArgumentError, "state must be one of #{Frames::STATES.keys.join(", ")}; got #{state.inspect}" unless Frames::STATES.key?(state.to_s)

        rest = @characters.rest
        self << rest unless rest.empty? || over?
        @lock.synchronize do
          raise_outcome unless @attempt.stopping?
          @attempt.close(state.to_s, data) unless @attempt.over? || @attempt.stopping?
        end
        @background.committer.notify(self)
        @lock.synchronize do
          outcome = wait_until { @attempt.outcome }
          return @attempt.state if %i[closed stopped].include?(outcome)

          raise_outcome
        end
      end

      # Waits until everything that was added is stored. Raises as append.
      def flush
        @background.committer.notify(self)
        @lock.synchronize { wait_until_stored }
        nil
      end

      # Gives the log back as it is, once everything is stored: another attempt may begin at once, and nobody sees to it that one does. For a
      # worker that is told to end and whose work is to be done again. Raises as append, and StoreUnavailableError: then the lease ends by itself.
      def release
        @background.committer.notify(self)
        @lock.synchronize do
          wait_until_stored
          @attempt.finish(:released)
        end
        @background.store.release(key, epoch: epoch, owner: @attempt.owner)
        nil
      ensure
        leave if outcome
      end

      # Gives the log up without waiting for what is not stored yet, unless it is closed: for a way out that may not wait. The lease ends at
      # once, so that it is looked after as if the process had ended.
      def abandon # :nodoc:
        return if forked? || outcome

        advance { @attempt.finish(:released) }
        @background.store.renew({ key => epoch }, owner: @attempt.owner, lease: 0)
      rescue StoreUnavailableError
        nil # the lease ends by itself
      end

      # Waits until everything is stored, or nothing more will be, but not beyond a time.
      def settle_by(deadline) # :nodoc:
        @lock.synchronize do
          @changed.wait(@lock, [deadline - Clock.now, 0].max) while @attempt.ready? && Clock.now < deadline
        end
      end

      # Something else than the store's being away keeps this writer's entries from being stored.
      def break_off(error) # :nodoc:
        advance do
          @error ||= error
          @attempt.finish(:broken) unless @attempt.outcome
        end
      end

      # Whether nothing can be added any more.
      def over? = @lock.synchronize { @attempt.over? || @attempt.stopping? }

      # Whether somebody has asked this attempt to stop.
      def stopped? = @lock.synchronize { @attempt.stopping? }

      # Calls the block once, from another thread, when this writer cannot or need not go on: somebody has asked to stop, or the log is
      # another attempt's. At once if that is so already. What it raises is reported.
      def on_stop(&block)
        @lock.synchronize do
          next @on_stop << block unless @attempt.stopping? || lost?

          block
        end.then { |now| Streamer.guard(&block) if now.equal?(block) }
        self
      end

      # Calls the block, which must not wait, from another thread whenever entries were stored.
      def on_stored(&block) = @on_stored = block # :nodoc:

      # For the committer and the keeper of leases, each on a thread of its own. :nodoc: all.

      def ready? = @lock.synchronize { @attempt.ready? } # :nodoc:

      def urgent?(entries, bytes) = @lock.synchronize { @attempt.urgent?(entries, bytes) } # :nodoc:

      def take(now) = @lock.synchronize { @attempt.take(now) } # :nodoc:

      def settle(append, answer) # :nodoc:
        advance { @attempt.settle(append, answer) }
        Streamer.guard(&@on_stored) if @on_stored
      end

      def renewed(head, sent) # :nodoc:
        advance { @attempt.renewed(head, sent) }
      end

      def look_at_lease(now) # :nodoc:
        advance { @attempt.look_at_lease(now) }
      end

      private

      def add(text, kind: :data, &frame)
        position = @lock.synchronize do
          refuse_lent
          wait_for_room
          @attempt.add(text, kind: kind) { |position| frame.call(position).tap { |bytes| check_room(bytes.bytesize) } }
        end
        @background.committer.notify(self)
        position
      end

      # The lock is held.
      def add_frames(frames, count, text, others)
        check_total(frames.bytesize)
        @attempt.add_frames(frames, count, text: text, others: others)
        true
      end

      def check_event(event)
        return unless Frames::RESERVED.include?(event.to_s)

        raise ArgumentError, "#{event.inspect} is the log's own name for an event; take another (its own: #{Frames::RESERVED.join(", ")})"
      end

      def check_room(bytes)
        raise EventTooLargeError, "an entry of #{bytes} bytes; a log takes at most #{MAX_ENTRY}" if bytes > MAX_ENTRY

        check_total(bytes)
      end

      def check_total(bytes)
        return if @attempt.bytes + bytes <= MAX_BYTES

        raise LogFullError, "an attempt may write #{MAX_BYTES} bytes to its log; keep large results elsewhere and put a reference in the log"
      end

      def refuse_lent
        raise LogError, "an upstream's answer is being added to the log; add what is yours when it has ended" if @lent
      end

      def room? = @attempt.waiting < MAX_WAITING

      def wait_for_room
        wait_until { over_or_stopping? || room? }
        check_open
      end

      # The lock is held.
      def check_open
        raise_outcome
        raise StoppedError, "somebody has asked this attempt to stop" if @attempt.stopping?
        raise LogClosedError, "the log is being closed; nothing can be added" if @attempt.over?
      end

      def over_or_stopping? = @attempt.over? || @attempt.stopping?

      # The lock is held. A thread looks at the lease as well: that of the keeper may be waiting for the store.
      def wait_until
        raise ForkError, "the log #{key} is written by this process's parent; a forked process makes its own attempt" if forked?

        loop do
          notice_lease
          value = yield
          return value if value

          @changed.wait(@lock, 1)
        end
      end

      # The lock is held.
      def wait_until_stored
        wait_until { @attempt.outcome || @attempt.waiting.zero? }
        raise_outcome
      end

      # The lock is held. Others are told on a thread of their own.
      def notice_lease
        return if @attempt.outcome

        @attempt.look_at_lease(Clock.now)
        Thread.new { advance { nil } } if @attempt.outcome
      end

      def forked? = @pid != Process.pid

      def lost? = %i[fenced overdue broken].include?(@attempt.outcome)

      def raise_outcome
        case @attempt.outcome
        when nil then nil
        when :fenced then raise FencedError, "the log #{key} is no longer attempt #{epoch}'s: another has taken over, or it was closed or deleted"
        when :overdue then raise FencedError, "the lease on the log #{key} could not be renewed in time, since its store did not answer"
        when :broken then raise LogError, "the store took no more entries of the log #{key}: #{@error.message} (#{@error.class})"
        when :stopped then raise StoppedError, "somebody has asked attempt #{epoch} to stop; the log is closed as cancelled"
        else raise LogClosedError, "the log #{key} is #{@attempt.outcome}; nothing can be added"
        end
      end

      # Runs a rule, and tells whoever waits and whoever wants to know of the end.
      def advance
        told, over = @lock.synchronize do
          yield
          @changed.broadcast
          [(@on_stop.slice!(0..) if @attempt.stopping? || lost?), @attempt.outcome]
        end
        leave if over
        @background.committer.notify(self) if told && !over
        told&.each { |block| Streamer.guard(&block) }
        run_later
      end

      # Calls those whose condition holds by now.
      def run_later
        return if @later.empty?

        due = @lock.synchronize do
          due, @later = @later.partition { |condition, _| condition.call }
          due
        end
        due.each { |due_now| Streamer.guard(&due_now.last) }
      end

      def leave = @background.lease_keeper.remove(self)
    end
  end
end
