# frozen_string_literal: true

require_relative "error_reporter"
require_relative "../sinks/connection_pools"

module Streamer
  module Controller
    # A log for clients of the Durable Streams protocol, to read and no more: a stream of JSON messages { "id", "event", "data" }, one for each
    # entry, `gap` among them for those that are kept as text only.
    #
    # Offsets are positions that sort as text, "0000000001_0000000057". A live reader keeps the request's thread or fiber: for browsers there is
    # follow_events.
    class DurableStream # :nodoc:
      # Messages of one answer; seconds that a long poll lasts and an SSE connection at most.
      MESSAGES = 1000
      POLL = 10.0
      LIVE = 60.0
      OFFSET = /\A(\d{10})_(\d{10})\z/
      private_constant :MESSAGES, :POLL, :LIVE, :OFFSET

      # A position as an offset.
      def self.offset(position) = format("%010d_%010d", position.epoch, position.sequence)

      # A frame's messages.
      def self.messages(frames)
        Log::Followers::Pull.entries(frames).filter_map do |entry|
          { id: entry.id, event: entry.type, data: entry.data } if entry.position
        end
      end

      def initialize(controller, log)
        @controller = controller
        @request = controller.request
        @response = controller.response
        @key = FollowEvents.key_of(log)
        @parameters = @request.query_parameters
      end

      # Raises UnknownLogError, InvalidPositionError, StoreUnavailableError.
      def answer
        @head = Log[@key].head
        @after = after
        return metadata if @request.head?
        return @controller.head(:gone) if gone?

        case @parameters["live"]
        when nil then page(messages)
        when "long-poll" then poll
        when "sse" then stream
        else raise InvalidPositionError, "live is long-poll or sse, or not given"
        end
      end

      private

      def after
        offset = @parameters["offset"]
        raise InvalidPositionError, "a live reader says from which offset" if offset.nil? && @parameters["live"]
        return Log::Position::START if offset.nil? || offset == "-1"
        return @head.position if offset == "now"

        position(offset) or raise InvalidPositionError, "#{offset.to_s[0, 100].inspect} is no offset of a stream"
      end

      def position(offset)
        epoch, sequence = offset.to_s.match(OFFSET)&.captures
        Log::Position.parse("#{epoch.to_i}-#{sequence.to_i}") if epoch
      end

      # Before what is kept, or ahead of a log that has lost its end.
      def gone?
        @after > @head.position || (@after > Log::Position::START && @after < @head.pruned)
      end

      def metadata
        say(@head.position, @head)
        @response.set_header("Cache-Control", "no-store")
        @controller.head(:ok, content_type: "application/json")
      end

      def messages
        catch_up = Log::CatchUp.new(Log.store, @key, @after)
        found = []
        while found.size < MESSAGES && (frames = catch_up.next)
          found.concat(DurableStream.messages(frames))
        end
        @head = catch_up.head
        found.first(MESSAGES)
      end

      def page(messages)
        position = messages.empty? ? @after : Log::Position.parse(messages.last[:id])
        say(position, Log[@key].head)
        @response.set_header("Cache-Control", @parameters["offset"] == "now" ? "no-store" : "private, no-cache")
        return @controller.render(json: messages) if @parameters["offset"] == "now"

        etag = "#{@key}:#{DurableStream.offset(@after)}:#{DurableStream.offset(position)}#{":closed" if @response.headers["Stream-Closed"]}"
        @controller.render(json: messages) if @controller.stale?(strong_etag: etag, template: false)
      end

      # What follows from a position that was read through.
      def say(position, head)
        @response.set_header("Stream-Next-Offset", DurableStream.offset(position))
        @response.set_header("Stream-Up-To-Date", "true") if position >= head.position
        @response.set_header("Stream-Closed", "true") if position >= head.position && head.closed?
        @response.set_header("Stream-Cursor", position.to_s) if @parameters["live"]
      end

      def poll
        found = @head.closed? && @after >= @head.position ? [] : wait_for_messages
        return page(found) unless found.empty?

        say(@after, @head)
        @response.set_header("Cache-Control", "no-store")
        @controller.head(:no_content)
      end

      def wait_for_messages
        Sinks::ConnectionPools.release
        found = nil
        pull = Log::Followers::Pull.new(Log.background.followers, @key, @after, rotate: (POLL * 1000).round, closing: Log::CatchUp.notice("closing"))
        pull.frames do |frames|
          found = DurableStream.messages(frames)
          break unless found.empty?
        end
        found || []
      end

      def stream
        Delivery.for(@controller).start(Live.new(@controller, @key, @after), status: 200, headers: {}, heartbeat: Controller.heartbeat)
      end

      # The body of an SSE connection: `data` with messages, and `control` behind each.
      class Live
        def initialize(controller, key, after)
          @key = key
          @position = after
          @error_reporter = ErrorReporter.new(controller)
        end

        def failed? = false

        def run(sink)
          Sinks::ConnectionPools.release
          pull = Log::Followers::Pull.new(Log.background.followers, @key, @position, rotate: (LIVE * 1000).round,
                                                                                      closing: Log::CatchUp.notice("closing"))
          sink.write(control)
          sink.while_connected(pull) { pull.frames { |frames| pass(frames, sink) } }
        rescue BrowserDisconnectedError
          nil
        rescue StandardError => error
          @error_reporter.report(error)
        ensure
          sink.close
        end

        def refuse(error) = @error_reporter.report(error)

        def abandon; end

        private

        def pass(frames, sink)
          messages = DurableStream.messages(frames)
          return if messages.empty?

          @position = Log::Position.parse(messages.last[:id])
          sink.write(Encoder.encode(messages, event: "data") + control)
        end

        def control
          head = Log[@key].head
          closed = head.closed? && @position >= head.position
          fields = { streamNextOffset: DurableStream.offset(@position), streamCursor: @position.to_s }
          fields[:upToDate] = true if @position >= head.position
          fields[:streamClosed] = true if closed
          Encoder.encode(fields, event: "control")
        end
      end
      private_constant :Live
    end
  end
end
