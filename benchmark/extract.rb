# frozen_string_literal: true

require_relative "support/chat"
require_relative "support/contest"
require_relative "support/peers"

module Bench
  # extract: one event's data to the value wanted.
  class Extract
    OURS = "Streamer::Extractor"

    def initialize(size)
      @size = size
    end

    def check = contest.check

    def run(report)
      report.section("extract", "`#{Chat::PATH}` of each of #{report.number(@size.tokens)} JSON documents of about 300 bytes.")
      report.contest(contest.run(@size.settings), OURS)
    end

    private

    def contest
      chat = Chat.new(@size.tokens)
      documents = chat.documents
      extractor = Streamer::Extractor.new(Chat::PATH)
      expected = [nil, *chat.values, nil]
      Contest.new("extract", events: documents.size, bytes: documents.sum(&:bytesize), expected: expected) { documents }
             .add(OURS) { |input, sink| input.each { |document| sink.add(extractor.call(document)) } }
             .add("Oj::Doc#fetch") { |input, sink| input.each { |document| sink.add(Peers.oj_doc(document)) } }
             .add("Oj.load + dig") { |input, sink| input.each { |document| sink.add(Peers.oj(document)) } }
             .add("JSON.parse + dig") { |input, sink| input.each { |document| sink.add(Peers.json(document)) } }
             .add("Yajl::Parser.parse + dig") { |input, sink| input.each { |document| sink.add(Peers.yajl(document)) } }
    end
  end
end
