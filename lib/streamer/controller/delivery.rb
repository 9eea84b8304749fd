# frozen_string_literal: true

require "rack"
require "time"

require_relative "falcon"
require_relative "read_only_request"
require_relative "reloading"
require_relative "../sinks/borrowed_socket"
require_relative "../sinks/cork"
require_relative "../sinks/live"
require_relative "../sinks/tcp_user_timeout"
require_relative "../sinks/rack"
require_relative "../sinks/socket"

module Streamer
  module Controller
    # How a stream leaves an action. One of six, by what the client, the server and the controller are:
    #
    #   Collected    a client that wants JSON: one document, when all is over
    #   Handover     Puma without TLS: a callable body gets the socket and frames HTTP itself
    #   Borrowed     Falcon over HTTP/1.1 without TLS: a callable body writes chunks to the connection's socket
    #   Callable     Puma with TLS, other connections of Falcon: a callable body gets a stream
    #   Enumerable   every other server, Rack 2, tests without a server, and tests inline: a body with each
    #   Live         a controller that includes ActionController::Live: the action writes to response.stream
    class Delivery # :nodoc:
      HEADERS = {
        "Content-Type" => "text/event-stream",
        "Cache-Control" => "no-cache, no-transform", # no-transform: Rack::Deflater and proxies leave it uncompressed
        "X-Accel-Buffering" => "no"
      }.freeze

      def self.for(controller)
        env = controller.request.env
        type =
          if env[Collected::HEADER] then Collected
          elsif live?(controller) then Live
          elsif rack_2? || Controller.inline then Enumerable
          elsif env["puma.socket"].is_a?(::BasicSocket) then Handover
          elsif env["puma.socket"] then Callable
          elsif env["protocol.http.request"] then Borrowed.possible?(env) ? Borrowed : Callable
          else Enumerable
          end
        type.new(controller)
      end

      def self.live?(controller) = defined?(::ActionController::Live) && controller.is_a?(::ActionController::Live)

      def self.rack_2? = ::Rack.release < "3"

      def initialize(controller)
        @controller = controller
        @response = controller.response
        @env = controller.request.env
      end

      # Responds to the action's request. HEAD gets the head and never runs the action's block.
      def start(action, status:, headers:, heartbeat:)
        unless Sinks::Heartbeat.setting?(heartbeat)
          raise ArgumentError, "heartbeat is a number of seconds, :event, or nil or 0 for none; got #{heartbeat.inspect}"
        end

        @response.status = status
        head.merge(headers).each { |name, value| @response.set_header(name, value) }
        @heartbeat = heartbeat

        @controller.request.head? ? send_head : deliver(action)
      end

      private

      # What a sink takes of the setting.
      def heartbeats
        return { heartbeat: @heartbeat } unless @heartbeat == :event

        { heartbeat: Controller.heartbeat.is_a?(Numeric) ? Controller.heartbeat : DEFAULT_HEARTBEAT, heartbeat_event: true }
      end

      def timing = { **heartbeats, write_timeout: Controller.write_timeout }

      def head = HEADERS.merge(own_headers)

      # Rack 2's ETag reads a body to its end unless there is a validator.
      def own_headers = Delivery.rack_2? ? { "Last-Modified" => Time.now.httpdate } : {}

      def send_head
        @controller.response_body = ""
      end

      def deliver(action)
        body = body_for(action)
        @env["rack.response_finished"]&.push(->(*) { body.abort })
        @controller.response_body = body
        # Rails before 8.1 takes whatever an action responds with for an enumerable, and wraps it.
        @response.instance_variable_set(:@stream, body) unless @response.stream.equal?(body)
      end

      # What the server gets as the response's body; the block makes a sink of the stream. (No Struct: one has `each`.)
      class Body
        def initialize(action, request, &sink)
          @action = action
          @request = request
          @sink = sink
        end

        # When the server is done with the response: one whose body it never called, because the browser had left before the head was sent,
        # ends here. Rails calls it when the server closes the body, as Puma does; Falcon calls only rack.response_finished.
        def abort
          return if @called

          @called = true
          @action.abandon
        end

        private

        def run(stream)
          @called = true
          ReadOnlyRequest.seal(@request)
          sink = @sink.call(stream)
        rescue SystemCallError, IOError => error # out of descriptors, say
          stream.close
          @action.refuse(error)
        else
          Reloading.permit { @action.run(sink) }
        end
      end

      # A body that is called with the server's stream.
      class CallableBody < Body
        def call(stream) = run(stream)
      end

      # A body that yields Strings.
      class EnumerableBody < Body
        def each(&block) = run(Yielder.new(block))
      end

      # The stream of an EnumerableBody.
      class Yielder
        def initialize(block)
          @block = block
        end

        def write(bytes) = @block.call(bytes)
        def close; end
      end

      class Handover < Delivery
        private

        def chunked? = @env["SERVER_PROTOCOL"] == "HTTP/1.1"

        def own_headers
          { "Connection" => "close" }.merge(chunked? ? { "Transfer-Encoding" => "chunked" } : {})
        end

        def body_for(action)
          CallableBody.new(action, @controller.request) { |io| Sinks::Socket.new(io, chunked: chunked?, **timing) }
        end
      end

      class Callable < Delivery
        @told = false

        class << self
          # Once in a process.
          def tell_of_tls(logger)
            return if @told

            @told = true
            logger&.warn("streamer: Puma speaks TLS itself here (ssl_bind), so each stream keeps a thread of its own. " \
                         "With TLS ended in front of Puma none does.")
          end

          # Of the connection of a request of Falcon's; nil where it has none with a descriptor.
          def stream_of(request)
            stream = request.connection&.stream if request.respond_to?(:connection)
            stream if stream.respond_to?(:io)
          end
        end

        private

        def deliver(action)
          if @env["puma.socket"]
            Callable.tell_of_tls(@controller.logger)
          elsif ::Async::Task.current?
            Falcon.watch
          end
          super
        end

        # Puma frames nothing here, so the end of the connection is the end of the stream. Falcon compresses what names no
        # encoding, in spite of no-transform.
        def own_headers = @env["puma.socket"] ? { "Connection" => "close" } : { "Content-Encoding" => "identity" }

        def body_for(action) = CallableBody.new(action, @controller.request) { |stream| sink(stream) }

        def sink(stream)
          Sinks::TcpUserTimeout.limit(socket, Controller.write_timeout)
          Sinks::Rack.new(stream, **timing)
        end

        # Puma's, or that of Falcon's connection; nil for neither.
        def socket
          return @env["puma.socket"].to_io if @env["puma.socket"]

          Callable.stream_of(@env["protocol.http.request"])&.io&.to_io
        end
      end

      class Borrowed < Callable
        # Whether the server frames the body in chunks, and its bytes are those of the socket.
        def self.possible?(env)
          request = env["protocol.http.request"]
          request.version == "HTTP/1.1" && Callable.stream_of(request)&.io.is_a?(::BasicSocket)
        end

        private

        def sink(stream)
          return super unless stream.instance_of?(::Protocol::HTTP::Body::Stream) # somebody has wrapped it

          connection = Callable.stream_of(@env["protocol.http.request"])
          connection.flush
          Sinks::BorrowedSocket.new(connection.io, stream, **timing)
        end
      end

      class Enumerable < Delivery
        private

        def body_for(action)
          EnumerableBody.new(action, @controller.request) do |stream|
            Sinks::Cork.release(@env)
            Sinks::Rack.new(stream, **timing)
          end
        end
      end

      class Live < Delivery
        private

        def send_head = @response.stream.close

        def deliver(action)
          Sinks::Cork.release_for(@response.stream)
          action.run(Sinks::Live.new(@response.stream, **heartbeats))
        end
      end

      private_constant :Body, :CallableBody, :EnumerableBody, :Yielder, :Handover, :Callable, :Borrowed, :Enumerable, :Live
    end
  end
end
