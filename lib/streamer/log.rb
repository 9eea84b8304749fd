# frozen_string_literal: true

require "securerandom"

require_relative "log/position"
require_relative "log/entry"
require_relative "log/frames"
require_relative "log/batch"
require_relative "log/piece"
require_relative "log/append"
require_relative "log/head"
require_relative "log/characters"
require_relative "log/compactor"
require_relative "log/attempt"
require_relative "log/changes"
require_relative "log/protection"
require_relative "log/writer"
require_relative "log/committer"
require_relative "log/lease_keeper"
require_relative "log/reaper"
require_relative "log/origin"
require_relative "log/intake"
require_relative "log/inline_intake"
require_relative "log/fanout"
require_relative "log/cursor"
require_relative "log/gap"
require_relative "log/catch_up"
require_relative "log/followers"
require_relative "log/background"
require_relative "log/settings"
require_relative "stores"

module Streamer
  # What was said to a browser, for whoever comes later: a numbered log of one answer, in a store that several processes share. One attempt
  # writes at a time; any process reads, from any position, and learns of the end.
  #
  #   log = Streamer::Log.create
  #   log.write { |out| chat.ask(question) { |chunk| out << chunk.content } }   # in a job
  #   log.follow { |entry| entry.type; entry.data }                             # in any process; in a controller: follow_events log
  #
  # docs/log.md says what is promised.
  class Log
    # What a key may be.
    KEY = /\A[A-Za-z0-9_.:-]{1,191}\z/
    private_constant :KEY

    class << self
      # Where logs are kept: a store, see Stores; config.streamer.log.store in a Rails application.
      attr_writer :store

      # The same. Raises ArgumentError while there is none.
      def store
        @store or raise ArgumentError, "logs have no store yet: set config.streamer.log.store, or Streamer::Log.store = Streamer::Stores::Memory.new"
      end

      # Seconds for which the entries of a closed log are kept; its text stays.
      attr_accessor :retention

      # Seconds for which a log is claimed; its writer renews it six times as often. One that is not heard of for so long has lost its log.
      attr_accessor :lease

      # Who looks after what the logs belong to, on a thread of every process that reaps: `round`, called several times in a lease, and
      # `recover(log)`, called for a log whose writer is gone: true where it has seen to that; others are closed as failed, with what had come.
      attr_accessor :upkeep # :nodoc:

      # Whether this process looks for such logs: true in a Rails application, except in tests.
      attr_accessor :reaps

      # Makes a log, for one answer; it is never used for another. key: 1 to 191 letters, digits and `_.:-`, which nobody should be able to
      # guess; random unless given. A log that is there already is left as it is.
      def create(key = SecureRandom.alphanumeric(24))
        log = new(key)
        store.create(log.key)
        log
      end

      # The Log with this key; raises UnknownLogError where there is none.
      def find(key)
        self[key].tap(&:head)
      end

      # The same without a look whether it is there.
      def [](key) = key.is_a?(Log) ? key : new(key)

      # As Log#follow, for a Log or its key.
      def follow(log, after: Position::START, &block) = self[log].follow(after: after, &block)

      def background # :nodoc:
        Background.of(store).tap { |background| background.reaper.start if reaps }
      end
    end
    self.retention = 3600
    self.lease = 30

    # Its key, a String.
    attr_reader :key

    private_class_method :new

    def initialize(key) # :nodoc:
      raise ArgumentError, "a log's key is 1 to 191 letters, digits and _.:- ; got #{key.inspect}" unless KEY.match?(key.to_s)

      @key = key.to_s
    end

    # How it is now, a Head. Raises UnknownLogError, StoreUnavailableError.
    def head
      store.heads([key])[key] or raise UnknownLogError, key
    end

    # Begins an attempt: its Writer, or nil when another attempt's lease runs or the log is closed. mode: "reset" where it begins from the
    # start, and readers drop what they have; "continue" where it goes on. The first one always begins.
    def claim(mode: "reset")
      raise ArgumentError, "mode is \"reset\" or \"continue\"; got #{mode.inspect}" unless %w[reset continue].include?(mode.to_s)

      background.claim(key, mode: mode.to_s)
    end

    # The same for the length of a block, which gets the Writer: the log is closed as completed when it returns and as failed when it raises
    # (`message` in the close: "failed"; say more with writer.close). A block that is left otherwise, by break, throw or because its thread
    # ends, gives the log up: somebody looks after it as if the process had ended. True; false when there was nothing to claim. Raises
    # FencedError when the log was lost, and StoppedError where the block has.
    def write(mode: "reset")
      writer = claim(mode: mode) or return false
      begin
        yield writer
      rescue StandardError => error
        end_writing(writer, error.is_a?(StoppedError) ? "cancelled" : "failed", error)
        raise
      end
      end_writing(writer, "completed")
      true
    ensure
      writer&.abandon
    end

    # Claims the log, adds what an upstream answers, and closes it: as completed, as timed_out or failed (the close has the error's name and
    # a `message`), or as cancelled when it was stopped. Waits for all of that, in a thread or, under a fiber scheduler, in its fiber, while
    # the native thread reads the upstream. The Relay::Result, which the block gets too; nil where there is nothing to claim.
    #
    #   log.relay(client.request(:post, "/v1/chat/completions", json: { ... }), value: "choices.0.delta.content")
    #
    # upstream: a Request, a Response or a provider's chat. value: a path, of the text; or a Hash of name => path, where `content` is the
    # text's; or nil, and events pass through, whose text is the String under "content" in their data (of a body of text it is all of it).
    # event: the entries' name, "token" unless given. Events that pass through keep their own; one that the log uses itself has "upstream."
    # in front of it. from, done, error, format, keep, collect, max_line, max_event, on_text, every: as in relay_events.
    #
    # close: what the close says besides, a Hash, or what is called with the Result and returns one. mode: as in claim.
    # interrupted: what becomes of the log when the process ends, or whatever waits here is interrupted, before the upstream has ended:
    # :close, as "failed" with the reason "interrupted"; :release gives it back open, for whoever begins again.
    def relay(upstream, mode: "reset", **options)
      intake = Intake.new(upstream, **options)
      writer = claim(mode: mode) or return
      intake.run(writer).tap { |result| yield result if block_given? }
    end

    # Asks an attempt to stop, the present one unless named: its writer is told, in whatever process, and the log closed as cancelled. A log
    # that nobody writes is closed at once. What belongs to an earlier attempt does nothing. The Head.
    def stop(epoch: nil)
      head = self.head
      return head if head.closed? || (epoch && epoch != head.epoch)

      head = store.stop(key, epoch: head.epoch) || raise(UnknownLogError, key) unless head.queued?
      store.wake([key, LeaseKeeper.call_name(key)])
      close_idle if head.open? && !head.leased?
      self.head
    end

    # The entries behind a position, an Array of at most `limit` Entries.
    def entries(after: Position::START, limit: 500)
      batches = store.read({ key => after }, limit: limit).fetch(key, [])
      batches.flat_map { |batch| batch.entries(after: after) }.first(limit)
    end

    # Yields the Entries behind a position as they come, in this thread or fiber, and returns when the log is closed: nil. Among them are
    # `attempt`, `state`, `gap` (for entries that were deleted, or that this is quicker than) and the close. Leave it by break, Timeout or
    # by stopping the task. Raises UnknownLogError, and StoreUnavailableError where that is so at the beginning; later it waits.
    def follow(after: Position::START, &block)
      raise ArgumentError, "follow needs a block" unless block

      Followers::Pull.new(background.followers, key, after).entries(&block)
    end

    # The text so far, a String, and the Position up to which it is that: for a page that shows the one and follows what is behind the other.
    # Raises UnknownLogError.
    def snapshot
      head = self.head
      loop do
        text, through, position = read_text(head.text_epoch)
        before, head = head, self.head
        # Otherwise another attempt has begun anew, or entries were pruned that came into a piece, meanwhile.
        return [text, position] if head.text_epoch == before.text_epoch && head.pruned <= through
      end
    end

    # The text so far, a String: what is in pieces and in the entries behind them. Raises UnknownLogError.
    def text = snapshot.first

    # Removes it with all that belongs to it; its readers' streams end.
    def delete
      store.delete([key])
      store.wake([key, LeaseKeeper.call_name(key)])
    end

    def ==(other) = other.is_a?(Log) && key == other.key
    alias eql? ==

    def hash = key.hash

    def inspect = "#<Streamer::Log #{key}>"

    private

    def store = self.class.store

    def background = self.class.background

    # The text from this attempt on, through where it is in pieces, and through where it goes.
    def read_text(epoch)
      pieces = store.text(key)
      text = pieces.map(&:text).join
      after = through = [pieces.last&.through || Position::START, Position.new(epoch, 0)].max
      until (found = entries(after: after)).empty?
        found.each { |entry| text << Compactor.text_of_entry(entry).to_s }
        after = found.last.position
      end
      [text.force_encoding(Encoding::UTF_8).scrub("\u{FFFD}"), through, after]
    end

    # Waits for the log's end, whoever has begun it. error: what has ended the block, and is not to be hidden by what comes of that.
    def end_writing(writer, state, error = nil)
      writer.close(state) unless %i[closed stopped released].include?(writer.outcome)
    rescue LogError
      raise unless error
    end

    def close_idle
      claim(mode: "continue")&.close("cancelled")
    rescue LogError
      nil # somebody began to write: it is told
    end
  end
end
