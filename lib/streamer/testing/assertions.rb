# frozen_string_literal: true

require_relative "ended_matcher"
require_relative "event_stream"
require_relative "event_stream_matcher"
require_relative "next_streamed"
require_relative "streamed"

module Streamer
  module Testing
    # What an action streamed, for minitest, RSpec and others: a failure is the framework's own.
    #
    #   class AnswersTest < ActionDispatch::IntegrationTest
    #     include Streamer::Testing::Assertions
    #
    #     test "an answer arrives token by token" do
    #       get "/answer"
    #       assert_events response, { token: { content: "Hel" } }, { token: { content: "lo" } }, :done
    #     end
    #   end
    #
    # A response is whatever has a body, or the body itself: a String, or anything with each. How events are described is
    # said in Streamed. A stream is what open_event_stream gives, see Integration. In RSpec, `require "streamer/rspec"`:
    #
    #   expect(response).to be_an_event_stream
    #   expect(response).to have_streamed(:token, :done)
    #   expect(stream).to stream_next(:token).within(0.5)
    #   expect(stream).to have_ended
    module Assertions
      # The response's events, Streamer::Event each; comments are none.
      def streamed_events(response) = Streamed.events(response)

      # The texts of all events of a type, joined: their data, or what is at `key` of it.
      def streamed_text(response, key = nil, event: "message")
        events = streamed_events(response).select { |found| found.type == event.to_s }
        events.map { |found| key ? found.json[key.to_s] : found.data }.join
      end

      # That exactly these events were streamed, in this order.
      def assert_events(response, *expected) = streamer_assert(Streamed.new(expected), response)

      # That such an event is among those that were streamed.
      def assert_event(response, expected) = streamer_assert(Streamed.new([expected], among: true), response)

      # That no such event was streamed: `refute_event response, :error`.
      def refute_event(response, expected) = streamer_assert(Streamed.new([expected], among: true), response, false)

      # That a browser's EventSource takes this response (the test's own unless given) or stream: 200 and text/event-stream.
      def assert_event_stream(response = self.response) = streamer_assert(EventStreamMatcher.new, response)

      # That these are the next events of a stream, in this order, each within and after so many seconds from the one before.
      #
      #   assert_streamed stream, { token: { content: "Hel" } }, :done, within: 0.5
      #
      # Of a response: the same as assert_events.
      def assert_streamed(stream, *expected, within: nil, after: nil)
        return assert_events(stream, *expected) unless stream.is_a?(EventStream) || within || after

        streamer_assert(NextStreamed.new(expected).within(within).after(after), stream)
      end

      # That a stream has ended, and nothing is left to read.
      def assert_stream_ended(stream) = streamer_assert(EndedMatcher.new, stream)

      # RSpec's matcher. As assert_events.
      def have_streamed(*expected) = Streamed.new(expected)

      # RSpec's matcher. As assert_event_stream.
      def be_an_event_stream = EventStreamMatcher.new

      # RSpec's matcher. As assert_streamed: stream_next(:token).within(0.5).after(0.1)
      def stream_next(*expected) = NextStreamed.new(expected)

      # RSpec's matcher. As assert_stream_ended.
      def have_ended = EndedMatcher.new

      private

      def streamer_assert(streamed, response, wanted = true)
        passed = streamed.matches?(response) == wanted
        message = (wanted ? streamed.failure_message : streamed.failure_message_when_negated) unless passed
        if respond_to?(:assert, true) then assert(passed, message)
        elsif !passed then Testing.fail_with(message)
        end
      end
    end

    # Raised by what fails where there is neither minitest nor RSpec.
    Failure = Class.new(StandardError)

    def self.fail_with(message) # :nodoc:
      raise Failure, message unless defined?(::RSpec::Expectations)

      ::RSpec::Expectations.fail_with(message)
    end
  end
end
