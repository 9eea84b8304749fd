# frozen_string_literal: true

require "json"

module Streamer
  module Testing
    # Compares what was streamed with a description of its events; also a matcher for RSpec. An event is described by
    #
    #   :done                             its type, whatever its data
    #   { done: "text" }                  its type and its data
    #   { token: { content: "Hel" } }     its type and its data as JSON; keys may be Symbols
    #   { token: { content: String } }    anywhere in it: whatever matches with ===
    #   { token: /\d+/ }                  its type and a pattern of its data
    class Streamed
      # The events of a response, a body, or something with each; of an EventStream, those that are left.
      def self.events(response)
        return response.events if response.is_a?(EventStream)
        return response if response.is_a?(Array) && response.all?(Event)

        body = response.respond_to?(:body) ? response.body : response
        bytes = body.respond_to?(:each) ? body.each.to_a.join : body.to_s
        Decoder.new(done: nil).feed(bytes)
      end

      # among: whether one of them is enough.
      def initialize(expected, among: false)
        @expected = expected.map { |description| description.is_a?(Hash) ? pair(description) : [description.to_s] }
        @among = among
      end

      def matches?(response)
        @response = response
        @events = Streamed.events(response)
        return @events.any? { |event| match?(event, @expected.first) } if @among

        @events.size == @expected.size && @events.zip(@expected).all? { |event, expected| match?(event, expected) }
      end

      def failure_message = "expected #{"among others " if @among}these events:\n#{wanted}\nand there were:\n#{found}"

      def failure_message_when_negated
        "expected #{@among ? "no event" : "anything but these events"}:\n#{wanted}\nand there were:\n#{found}"
      end

      def description = "stream #{wanted.delete("\n")}"

      private

      def pair(description)
        return [description.keys.first.to_s, description.values.first] if description.size == 1

        raise ArgumentError, "an event is described by its type, or by { type => data }; got #{description.inspect}"
      end

      def match?(event, (type, *data))
        event.type == type && (data.empty? || data_match?(event, data.first))
      end

      def data_match?(event, expected)
        return expected === event.data if expected.is_a?(String) || expected.is_a?(Regexp)

        same?(event.json, expected)
      rescue InvalidJSONError
        false
      end

      def same?(actual, expected)
        case expected
        when Hash
          actual.is_a?(Hash) && actual.keys.sort == expected.keys.map(&:to_s).sort &&
            expected.all? { |key, value| same?(actual[key.to_s], value) }
        when Array
          actual.is_a?(Array) && actual.size == expected.size && actual.zip(expected).all? { |pair| same?(*pair) }
        when Symbol then actual == expected.to_s
        else expected === actual
        end
      end

      def wanted = lines(@expected.map { |type, *data| [type, *data.map { |value| value.is_a?(String) ? value : json(value) }] })

      def found
        return lines(@events.map { |event| [event.type, event.data] }) if @events.any?

        return "  none\n" if @response.is_a?(EventStream) || @response.is_a?(Array)

        body = @response.respond_to?(:body) ? @response.body : @response
        "  none, but #{body.to_s[0, 300].inspect}"
      end

      def lines(events) = events.map { |parts| "  #{parts.join(" ")}\n" }.join

      # Of what is only known by its kind, the kind.
      def json(value)
        case value
        when Hash then "{#{value.map { |key, part| "#{key.to_s.to_json}:#{json(part)}" }.join(",")}}"
        when Array then "[#{value.map { |part| json(part) }.join(",")}]"
        when String, Symbol, Numeric, true, false, nil then value.to_json
        else value.inspect
        end
      end
    end
  end
end
