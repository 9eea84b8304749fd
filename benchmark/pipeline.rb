# frozen_string_literal: true

require_relative "support/chat"
require_relative "support/contest"
require_relative "support/frames"
require_relative "support/peers"

module Bench
  # pipeline: bytes of the upstream to frames for the browser, all three stages.
  class Pipeline
    OURS = "Streamer::Pipeline"
    USUAL = "event_stream_parser + JSON + Live::SSE"

    def initialize(size)
      @size = size
    end

    def check = contest(Chat.new(@size.tokens)).check

    def run(report)
      chat = Chat.new(@size.tokens)
      contest = contest(chat)
      report.section("pipeline", "A chat of #{report.number(@size.tokens)} tokens in reads of 16 KiB, to frames named token " \
                                 "with {content: text}.")
      results = contest.run(@size.settings)
      report.contest(results, OURS)

      ours, usual = [OURS, USUAL].map { |name| results.find { |result| result.name == name } }
      report.target("#{OURS} against #{USUAL}, CPU per event", ">= 25", usual.ns / ours.ns, "× less")
      objects(report, contest, chat)
    end

    private

    # A read costs a String of frames; an event must cost nothing. Twice the events in each of as many reads tells them apart.
    def objects(report, contest, chat)
      one, two = [1, 2].map { |times| objects_of(contest, chat.reads(Chat::READ * times).first(chat.reads.size / 2)) }
      per_event = (two - one).fdiv(chat.events / 2)
      report.note("Objects for #{chat.reads.size / 2} reads: #{one} with 16 KiB in each, #{two} with 32 KiB: " \
                  "#{format("%.2f", one.fdiv(chat.reads.size / 2))} a read and #{format("%.3f", per_event)} an event.")
      report.target("#{OURS}, objects per event", "<= 0", per_event)
    end

    def objects_of(contest, reads) = contest.objects_of(OURS, reads)

    def contest(chat)
      expected = chat.values.map { |text| ["token", { "content" => text }] }
      Contest.new("pipeline", events: chat.events, bytes: chat.bytes.bytesize, expected: expected,
                              normalize: Frames.method(:read)) { chat.reads }
             .add(OURS, &method(:ours))
             .add(USUAL) { |reads, sink| live(:event_stream_parser, :json, reads, sink) }
             .add("event_stream_parser + Oj + Live::SSE") { |reads, sink| live(:event_stream_parser, :oj, reads, sink) }
             .add("ld-eventsource + yajl-ruby + Live::SSE") { |reads, sink| live(:ld_eventsource, :yajl, reads, sink) }
             .add("event_stream_parser + Oj::Doc + interpolation", &method(:by_hand))
    end

    def ours(reads, sink)
      pipeline = Streamer::Pipeline.new(value: Chat::PATH, event: "token")
      reads.each { |bytes| sink.write(pipeline.feed(bytes)) }
    end

    def live(decoder, extractor, reads, sink)
      sse = Peers.live_sse(sink)
      contents(decoder, extractor, reads) { |text| sse.write({ content: text }) }
    end

    def by_hand(reads, sink)
      contents(:event_stream_parser, :oj_doc, reads) do |text|
        sink.write("event: token\ndata: #{JSON.generate(content: text)}\n\n")
      end
    end

    def contents(decoder, extractor, reads)
      Peers.public_send(decoder, reads) do |_type, data|
        next if data == Chat::DONE

        text = Peers.public_send(extractor, data)
        yield text if text
      end
    end
  end
end
