# frozen_string_literal: true

require "streamer"
require_relative "upstream"
require_relative "job_conformance/support"
require_relative "job_conformance/work"
require_relative "job_conformance/endings"

module Streamer
  module Testing
    # What a queue has to do so that Streamer::Job keeps its promises on it, as tests: one for each, with a name that says it. For minitest, in
    # an application whose model of generations and its job are
    #
    #   class Answer < ApplicationRecord
    #     include Streamer::Generation
    #     streams_in AnswerJob
    #   end
    #
    #   class AnswerJob < ApplicationJob
    #     include Streamer::Job
    #
    #     def perform(answer)
    #       stream_into answer, Streamer::Client.new(answer.prompt).request(:get), value: "choices.0.delta.content"
    #     end
    #   end
    #
    # the test is
    #
    #   require "streamer/testing/job_conformance"
    #
    #   class MyQueueTest < Minitest::Test
    #     include Streamer::Testing::JobConformance
    #
    #     def generation_class = Answer
    #     def work = ...          # begins a worker; what it gives has `stop`, which tells it to end and waits for that, and `kill`
    #   end
    #
    # The suite plays the upstream, on loopback, and the URL of what it plays is the generation's prompt. Further methods that a test may define:
    #
    #   start(url)     begins a generation, whose id it gives; deliver(id) enqueues its job again, cancel(id) stops it
    #   look(id)       a Seen of it
    #   lease          seconds, as config.streamer.log.lease of the workers: 30
    #   width          generations that a worker works on at once, more than it has database connections: 10; nil where it has more
    #   patience       seconds within which what has to happen happens: 60
    module JobConformance
      include Support
      include Work
      include Endings
    end
  end
end
