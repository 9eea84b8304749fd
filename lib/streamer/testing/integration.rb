# frozen_string_literal: true

require_relative "event_stream"

module Streamer
  module Testing
    # For ActionDispatch::IntegrationTest and RSpec's request specs: streams that are read as they come. Applications' tests have it
    # already (the initializer streamer.test_assertions, or `require "streamer/rspec"`).
    module Integration
      # Requests that ask for an event stream, and `response.parsed_body` as an Array of Event:
      #
      #   get "/answers/1", as: :event_stream
      #
      # Parameters are sent as a form's. Once in a process; the MIME type must be registered.
      def self.register_encoder
        ActionDispatch::IntegrationTest.register_encoder(
          :event_stream, param_encoder: ->(params) { params }, response_parser: ->(body) { Streamed.events(body) },
                         content_type: Mime[:url_encoded_form].to_s
        )
      end

      # Makes a request that is answered by an event stream, and returns the EventStream at its head; with a block, yields it and
      # leaves it afterwards, and returns the block's value. The cookies and the host are those of the test's session; `response` stays what
      # it was. What is still open when the test ends is left then.
      #
      # method, params, headers, env: as for `get`. last_event_id: what a browser that comes back sends. clock: anything with `now`
      # and `sleep`; a Testing::Clock unless given. timeout: seconds of real time that the action may take from one event to the next.
      def open_event_stream(path, method: :get, last_event_id: nil, clock: nil, timeout: EventStream::PATIENCE, **options)
        stream = EventStream.new(app, clock: clock, timeout: timeout, last_event_id: last_event_id, opened: streamer_streams) do |tap, id|
          session = streamer_session(tap)
          headers = { "Accept" => "text/event-stream", "Last-Event-ID" => id }.compact.merge(options[:headers] || {})
          session.process(method, path, **options, headers: headers)
          session.response
        end
        return stream unless block_given?

        begin
          yield stream
        ensure
          stream.disconnect unless stream.ended?
        end
      end

      # Leaves all streams that the test has opened.
      def close_event_streams
        streamer_streams.shift.disconnect until streamer_streams.empty?
      end

      def after_teardown # :nodoc:
        close_event_streams
      ensure
        super
      end

      private

      def streamer_streams = @streamer_streams ||= []

      # A browser of its own with the same cookies, which the test's session does not wait for.
      def streamer_session(app)
        own = integration_session
        ActionDispatch::Integration::Session.new(app).tap do |session|
          session.host! own.host
          session.https! own.https?
          session.remote_addr = own.remote_addr
          own.cookies.to_hash.each { |name, value| session.cookies[name] = value }
        end
      end
    end
  end
end
