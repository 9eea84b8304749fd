# frozen_string_literal: true

require "active_support"
require "active_support/json"
require "action_controller"
require "event_stream_parser"
require "ld-eventsource"
require "ld-eventsource/impl/buffered_line_reader"
require "ld-eventsource/impl/event_parser"
require "oj"
require "yajl"

require_relative "chat"

module Bench
  # The others, as their users use them.
  module Peers
    class << self
      # Yields type, data and id of each event in the reads.
      def event_stream_parser(reads, &block)
        parser = EventStreamParser::Parser.new
        reads.each { |bytes| parser.feed(bytes, &block) }
      end

      def ld_eventsource(reads)
        lines = ::SSE::Impl::BufferedLineReader.lines_from(reads)
        ::SSE::Impl::EventParser.new(lines).items.each { |event| yield event.type, event.data, event.id }
      end

      # The text of a delta, nil where it has none.
      def json(document) = content(JSON.parse(document))
      def oj(document) = content(Oj.load(document, mode: :strict))
      def yajl(document) = content(Yajl::Parser.parse(document))

      # Oj's own way to one value without building the document.
      def oj_doc(document) = Oj::Doc.open(document) { |doc| doc.fetch("/choices/1/delta/content") }

      def live_sse(stream) = ActionController::Live::SSE.new(stream, event: "token")

      private

      def content(object) = object.dig("choices", 0, "delta", "content")
    end
  end
end
