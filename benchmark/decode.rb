# frozen_string_literal: true

require_relative "support/chat"
require_relative "support/contest"
require_relative "support/core"
require_relative "support/peers"

module Bench
  # decode: bytes to events.
  class Decode
    OURS = "Streamer::Decoder"
    LONG = 64 * 1024 * 1024
    SEGMENT = 1460 # what one TCP segment carries
    SHORT = 300
    QUADRATIC = 1024 * 1024 # as much of a line as peers can be asked to read

    def initialize(size)
      @size = size
    end

    def check
      chat.check
      long_line(SEGMENT * 4, :ours).check
      short_lines(SEGMENT * 4, :ours).check
    end

    def run(report)
      report.section("decode", "A chat of #{report.number(@size.tokens)} tokens in reads of 16 KiB; the block gets type, data " \
                               "and id.")
      report.contest(chat.run(@size.settings), OURS)
      core(report)
      long_lines(report)
    end

    private

    def chat
      chat = Chat.new(@size.tokens)
      expected = [*chat.documents, Chat::DONE].map { |data| ["message", data, ""] }
      contest(chat.bytes, chat.events, expected) { chat.reads }
        .add(OURS, &method(:ours))
        .add("event_stream_parser", &method(:event_stream_parser))
        .add("ld-eventsource", &method(:ld_eventsource))
    end

    def contest(bytes, events, expected, &reads)
      Contest.new("decode", events: events, bytes: bytes.bytesize, expected: expected, normalize: method(:normalize), &reads)
    end

    # Nobody else names the default type, or resets the id, or says that data is UTF-8.
    def normalize(outputs)
      outputs.map { |type, data, id| [type.empty? ? "message" : type.to_s, data.dup.force_encoding("UTF-8"), id.to_s] }
    end

    def ours(reads, sink)
      decoder = Streamer::Decoder.new(max_line: 2 * LONG, max_event: 2 * LONG)
      reads.each { |bytes| decoder.feed(bytes) { |event| sink.add(event.type, event.data, event.id) } }
    end

    def event_stream_parser(reads, sink) = Peers.event_stream_parser(reads) { |type, data, id| sink.add(type, data, id) }

    def ld_eventsource(reads, sink) = Peers.ld_eventsource(reads) { |type, data, id| sink.add(type, data, id) }

    def core(report)
      report.note("The same stages without Ruby (`benchmark/core.c`):")
      figures = Core.figures(@size.core_seconds)
      report.table(["", "ns/event", "MB/s"],
                   figures.map { |figure| [figure.name, report.number(figure.ns), report.number(figure.rate)] })
      rate = ->(name) { figures.find { |figure| figure.name.include?(name) }.rate }
      report.target("C decoder, chat in reads of 16 KiB", ">= 1000", rate["decode chat, LF"], "MB/s")
      ["64-byte lines", "300-byte lines"].each do |short|
        report.target("C decoder, a line of 64 MiB in 1,460-byte reads against #{short}", "<= 2",
                      rate[short] / rate["one line"], "×")
      end
    end

    def long_lines(report)
      report.note("One line in reads of 1,460 bytes against the same bytes in lines of #{SHORT}, MB/s. event_stream_parser " \
                  "looks for the end from the line's start at every read, which is quadratic: the others get 1 MiB, not 64.")
      rows = [["#{OURS}, 64 MiB", LONG, :ours], ["event_stream_parser, 1 MiB", QUADRATIC, :event_stream_parser],
              ["ld-eventsource, 1 MiB", QUADRATIC, :ld_eventsource]]
      rates = rows.map do |name, size, way|
        contests = [long_line(size, way), short_lines(size, way)]
        [name, *contests.map { |contest| contest.run(@size.settings_of_long).first.rate }]
      end
      report.table(["", "one line", "short lines", "slower by"],
                   rates.map { |name, one, short| [name, report.number(one), report.number(short), report.ratio(short / one)] })
      _, one, short = rates.first
      report.target("#{OURS}, a line of 64 MiB in 1,460-byte reads against #{SHORT}-byte lines", "<= 2", short / one, "×")
    end

    def long_line(size, way) = lines("x" * size, 1, way)

    def short_lines(size, way) = lines("x" * SHORT, size / SHORT, way)

    def lines(data, count, way)
      bytes = "data: #{data}\n\n" * count
      contest(bytes, count, [["message", data, ""]] * count) { Chat.cut(bytes, SEGMENT) }.add(way.to_s, &method(way))
    end
  end
end
