# frozen_string_literal: true

require_relative "support/chat"
require_relative "support/contest"
require_relative "support/frames"
require_relative "support/peers"

module Bench
  # encode: a value to a frame.
  class Encode
    OURS = "Streamer::Encoder.encode"

    def initialize(size)
      @size = size
    end

    def check
      objects.check
      texts.check
    end

    def run(report)
      report.section("encode", "{content: text} as a frame named token, for each of #{report.number(@size.tokens)} texts. " \
                               "Streamer::Encoder and Live::SSE call to_json, which in Rails is ActiveSupport's.")
      report.contest(objects.run(@size.settings), OURS)
      report.note("The same with the JSON made before, which leaves the framing:")
      report.contest(texts.run(@size.settings), OURS)
    end

    private

    def objects
      values = Chat.new(@size.tokens).values
      contest(values, values.map { |text| ["token", { "content" => text }] })
        .add(OURS, &each { |text| Streamer::Encoder.encode({ content: text }, event: "token") })
        .add("JSON.generate and interpolation", &each { |text| frame(JSON.generate(content: text)) })
        .add("Oj.dump and interpolation", &each { |text| frame(Oj.dump({ "content" => text }, mode: :strict)) })
        .add("ActionController::Live::SSE", &live { |text| { content: text } })
    end

    def texts
      documents = Chat.new(@size.tokens).values.map { |text| JSON.generate(content: text) }
      contest(documents, documents.map { |document| ["token", JSON.parse(document)] })
        .add(OURS, &each { |text| Streamer::Encoder.encode(text, event: "token") })
        .add("interpolation, which trusts the text", &each { |text| frame(text) })
        .add("ActionController::Live::SSE", &live(&:itself))
    end

    def contest(input, expected)
      Contest.new("encode", events: input.size, bytes: input.sum(&:bytesize), expected: expected,
                            normalize: Frames.method(:read)) { input }
    end

    def each = ->(input, sink) { input.each { |text| sink.write(yield(text)) } }

    def live
      lambda do |input, sink|
        sse = Peers.live_sse(sink)
        input.each { |text| sse.write(yield(text)) }
      end
    end

    def frame(json) = "event: token\ndata: #{json}\n\n"
  end
end
