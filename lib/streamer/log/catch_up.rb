# frozen_string_literal: true

module Streamer
  class Log
    # What a reader at a position gets before it has all that the store has: a function of the store and the position, without a clock, in
    # portions.
    #
    #   catch_up = CatchUp.new(store, key, after)
    #   while (frames = catch_up.next) do … end
    #   catch_up.over?     # there is nothing more to come: it had the close, or the log is gone
    #   catch_up.ahead?    # the log has not come so far: look again, and give_up after a time
    #   catch_up.position  # otherwise live from here on
    #
    # It depends on the position:
    #
    # - at the close: nothing (mode :over);
    # - in the text: the entries behind it (:resume);
    # - before the text, in an attempt that a later one has made void: from that one's `attempt` on (:reset);
    # - START: all entries of the text (:start), or where there are pieces of it, these as a gap, and the entries behind (:gap);
    # - before entries that were deleted: likewise, after the reader's position (:gap);
    # - ahead of the log, which has lost its end: nothing while it is open (:ahead); a gap after START if it is closed, and when the caller
    #   gives up (:gap).
    #
    # Wherever the entries do not go on where they have come to, there is a gap as well, so that nothing is missing without being told.
    class CatchUp # :nodoc:
      # Batches read at once, and bytes given at once (but for a larger batch).
      BATCHES = 256
      BYTES = 1024 * 1024
      private_constant :BATCHES, :BYTES

      # Whether a batch goes on where a reader at the position has come to.
      def self.follows?(position, batch)
        return batch.first <= position.next if batch.first.epoch == position.epoch
        return false unless batch.first.sequence.zero?

        attempt = Frames.entries(Frames.first(batch.frames)).first.json
        attempt["mode"] == "reset" || attempt["from"] == position.to_s
      end

      # Through which entries have been given.
      attr_reader :position

      # How the log was when it was last looked at; nil where there is none.
      attr_reader :head

      # reads: what answers as the store does, but may be a moment behind it.
      def initialize(store, key, after, reads: store)
        @store = store
        @reads = reads
        @key = key
        @after = @position = after
        @parts = []   # frames to be given
        @batches = [] # that were read, and are to be given
      end

      # As above; :gone where there is no such log. Looks at the log when it has not been.
      def mode = @mode ||= first_look

      def ahead? = mode == :ahead

      def over? = %i[over gone].include?(mode) || (@closed == true && @parts.empty?)

      # Whether the log was closed before what has been given.
      def closed? = @closed == true || mode == :over

      # Whether all that is left to be given are entries behind the position.
      def portioned? = !@mode.nil? && @parts.empty? && !ahead? && !over?

      # Looks at the log anew, where it was behind the reader.
      def look
        @head = @store.heads([@key])[@key]
        @mode = decide
      end

      # The reader is ahead, and does not wait any longer.
      def give_up
        @mode = gap(Position::START)
      end

      # The next frames, a String; nil when there are none now.
      def next
        return if over? || ahead?
        return @parts.shift unless @parts.empty?

        @batches = @reads.read({ @key => @position }, limit: BATCHES).fetch(@key, []).dup if @batches.empty?
        return if @batches.empty?
        return give unless broken?

        @mode = gap(Position::START)
        @parts.shift
      end

      # What is said beside the log to a reader that comes now; nil for nothing.
      def notice
        return unless head&.open?

        return CatchUp.notice("queued") if head.queued?

        CatchUp.notice("recovering") if head.overdue?
      end

      def self.notice(phase) = Encoder.encode({ phase: phase }, event: "state").b

      private

      def first_look
        @head = @reads.heads([@key])[@key]
        found = decide
        found == :ahead && !@reads.equal?(@store) ? look : found
      end

      def decide
        return :gone if head.nil?
        return :over if head.closed? && @after == head.position
        return head.open? ? :ahead : gap(Position::START) if @after > head.position
        return from_the_beginning if @after < beginning
        return gap(@after) if @after < head.pruned

        :resume
      end

      # What is behind it is the text.
      def beginning = head.text_epoch.zero? ? Position::START : Position.from((head.text_epoch << 32) - 1)

      def from_the_beginning
        first = @after == Position::START
        return gap(Position::START) if head.compacted > beginning && (first || head.pruned > beginning)

        @position = beginning
        first ? :start : :reset
      end

      # The text is asked for first: when the log is open afterwards, its close is not in there.
      def gap(after)
        pieces = @reads.text(@key)
        @head = @store.heads([@key])[@key] or return :gone
        through = pieces.empty? ? Position::START : pieces.last.through
        through = through.before if head.closed? && through == head.position
        after = Position::START unless held?(after, pieces)
        @parts = Gap.frames(pieces, after: after, through: through)
        Instrumentation.publish("gap", log: @key, after: after.to_s, through: through.to_s)
        @patient = @position != [through, beginning].max
        @position = [through, beginning].max
        @batches = []
        @closed = false
        :gap
      end

      # Whether what the reader has up to there is in the text: a log that lost its end may have gone on in another attempt without it.
      def held?(after, pieces) = pieces.any? { |piece| piece.through.epoch == after.epoch && piece.through >= after }

      # A second gap at the same place would not help.
      def broken? = !CatchUp.follows?(@position, @batches.first) && @patient != false

      def give
        frames = String.new(encoding: Encoding::BINARY)
        until @batches.empty? || frames.bytesize >= BYTES
          break if !frames.empty? && broken?

          batch = @batches.shift
          frames << batch.after(@position)
          @position = batch.last
          @patient = true
          @closed = true if batch.state
        end
        frames
      end
    end
  end
end
