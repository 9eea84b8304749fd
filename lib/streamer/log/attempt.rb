# frozen_string_literal: true

module Streamer
  class Log
    # The rules of one attempt at writing a log, without IO, threads and a clock of its own: what is to be appended next, and what a store's
    # answer means. One append is under way at a time; it stays the same until it is answered.
    class Attempt # :nodoc:
      # The part of the lease before whose end a writer that could not renew it gives up: another is about to claim the log.
      MARGIN = 1 / 6r

      attr_reader :key, :epoch, :owner

      # nil while it goes on. :closed, by close. :stopped: somebody asked, and the log is closed as "cancelled". :fenced: the log is another
      # attempt's. :overdue: the lease could not be renewed. :released.
      attr_reader :outcome

      # Bytes of entries that are not stored yet, and of all.
      attr_reader :waiting, :bytes

      # now: seconds of a clock that only goes forward, here as everywhere.
      def initialize(head, owner:, lease:, now:)
        @key = head.key
        @epoch = head.epoch
        @owner = owner
        @lease = lease
        @lease_until = now + lease
        @sequence = @taken = head.sequence
        @frames = String.new(encoding: Encoding::BINARY)
        @kept = [] # every Append, for a store that loses some
        @next = 0   # the one of @kept that comes next
        @stored = 0 # the last entry that was in the store at some time
        @waiting = @bytes = 0
        @stopping = head.stop_epoch.positive? # an attempt before was to stop the log, and has not come to it
        @compactor = Compactor.new(now)
      end

      def resume(text) = @compactor.resume(text)

      # What an earlier attempt has written since its last piece.
      def resume_entry(entry, frame)
        @compactor.add(frame, Compactor.text_of_entry(entry)) if entry.kind == :data
      end

      # The Position of the last entry that was added.
      def position = Position.new(epoch, @sequence)

      def stopping? = @stopping

      # That of the close that was added; nil before.
      def state = @closing

      # Whether nothing can be added any more.
      def over? = !outcome.nil? || !@closing.nil?

      # Entries that wait to be taken.
      def entries = @sequence - @taken

      # Whether there is something to append.
      def ready? = outcome.nil? && (@next < @kept.size || entries.positive? || (stopping? && @closing.nil?))

      # Whether it should not wait for others.
      def urgent?(entries, bytes) = stopping? || !@closing.nil? || self.entries >= entries || @frames.bytesize >= bytes

      # Frames of one entry; its position is the next one. text: what it adds to the text; nil for none.
      def add(text = nil, kind: :data)
        position = self.position.next
        frame = yield position
        @sequence += 1
        @frames << frame
        @waiting += frame.bytesize
        @bytes += frame.bytesize
        @compactor.add(frame, text) if kind == :data
        position
      end

      # The same for the frames of several entries, numbered already. others: the frames of those that have no text.
      def add_frames(frames, count, text: "", others: "")
        @sequence += count
        @frames << frames
        @waiting += frames.bytesize
        @bytes += frames.bytesize
        @compactor.add(nil, text) unless text.empty?
        @compactor.add(others, nil) unless others.empty?
      end

      # The last entry: state and what the application says of it.
      def close(state, data)
        add(kind: :close) do |position|
          Frames.entry(position, { state: state, length: @compactor.length, sha256: @compactor.sha256, **data }, event: Frames::STATES.fetch(state))
        end
        @closing = state
      end

      # The Append that is under way, or the next one; nil when there is nothing to do.
      def take(now)
        return unless ready?

        close("cancelled", {}) if stopping? && @closing.nil?
        @kept << build(now) if @next == @kept.size
        @kept[@next]
      end

      # Of the Append that was taken. answer: nil, or the Head that it did not fit.
      def settle(append, answer)
        return unless outcome.nil?
        return stored(@kept.rindex(append) + 1) if answer.nil?

        count = count_in(answer) or return finish(:fenced)
        stored(count)
        stop if outcome.nil? && answer.stop?
      end

      # How the log is; nil for one that is gone. sent: when the renewal was sent off whose answer this is; nil for a look.
      def renewed(head, sent)
        return unless outcome.nil?
        return if @closing && head&.closed? && head.epoch == epoch # our own, whose answer is on the way
        return finish(:fenced) if head.nil? || lost?(head)

        @lease_until = sent + @lease if sent && head.owner == owner && head.leased?
        @stopping = true if head.stop?
      end

      # Gives up where the lease is nearly over.
      def look_at_lease(now)
        finish(:overdue) if outcome.nil? && now >= @lease_until - (@lease * MARGIN)
      end

      # Ends it from outside: what is not stored yet is not going to be.
      def finish(outcome)
        @outcome = outcome
        @kept.clear
        @frames.clear
        @waiting = 0
      end

      private

      def build(now)
        last = Position.new(epoch, @sequence)
        piece = @compactor.piece(last, now) if @closing || @compactor.due?(now)
        append = Append.new(key: key, epoch: epoch, after: @taken, last: @sequence, frames: @frames, state: @closing, piece: piece)
        @taken = @sequence
        @frames = String.new(encoding: Encoding::BINARY)
        append
      end

      # How many of those that were kept are in the log: an entry's id belongs to one attempt's one entry, so they are if the last one is.
      # More than was known where an answer was lost, fewer where the store has lost its end. nil: the log is not this attempt's.
      def count_in(head)
        return if head.missing? || head.epoch != epoch
        return 0 if head.sequence.zero? && head.open?

        index = @kept.rindex { |append| append.last == head.sequence && append.state == head.state }
        index&.succ
      end

      # So many of those that were kept are in the log. The others are appended (again): the same ids with the same bytes.
      def stored(count)
        (@next...count).each { |index| acknowledge(@kept[index]) }
        @next = count
        closed_with(@kept[count - 1]) if count.positive? && @kept[count - 1].state
      end

      def acknowledge(append)
        return if append.last <= @stored

        @waiting -= append.frames.bytesize
        @stored = append.last
      end

      def closed_with(append) = finish(stopping? && append.state == "cancelled" ? :stopped : :closed)

      def lost?(head) = head.missing? || head.epoch != epoch || head.closed?

      # What does not fit because somebody asked to stop goes with the close, which fits.
      def stop
        @stopping = true
        unsent = @kept.slice!(@next..)
        return if unsent.empty?

        @taken = unsent.first.after
        unsent.reverse_each do |append|
          @frames = append.frames + @frames
          @compactor.give_back(append.piece)
        end
      end
    end
  end
end
