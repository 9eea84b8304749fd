# frozen_string_literal: true

require "action_cable"
require_relative "generation_case"

# Generations that are broadcast on a real Action Cable server, with its async adapter, and somebody who listens to it.
class BroadcastCase < GenerationCase
  class Told < Answer
    broadcasts_text over: :cable
  end

  # What came on a generation's stream, and when.
  class Listener
    Heard = Struct.new(:at, :message)

    attr_reader :heard

    def initialize(generation)
      @heard = []
      @stream = "streamer:generation:#{generation.log_key}"
      subscribed = Queue.new
      ActionCable.server.pubsub.subscribe(@stream, method(:take), -> { subscribed << true })
      subscribed.pop
    end

    def take(message) = @heard << Heard.new(Process.clock_gettime(Process::CLOCK_MONOTONIC), JSON.parse(message))

    # Those of the text, as they were sent: the async adapter hands them to several threads.
    def messages
      @heard.map(&:message).select { |message| message.key?("through") }.sort_by { |message| Streamer::Log::Position.parse(message["through"]) }
    end

    def forget = @heard.clear

    def statuses = @heard.filter_map { |heard| heard.message["status"] }

    # What a reader has that adds what follows on what it has, and takes what begins anew; raises where something is missing.
    def text
      position = nil
      messages.each_with_object(+"") do |message, text|
        raise "#{message} does not follow on #{position}" unless position.nil? || message["after"] == position || message["mode"] == "reset"

        text.clear if message["mode"] == "reset"
        text << message["content"]
        position = message["through"]
      end
    end
  end

  def setup
    super
    @config = ActionCable.server.config
    @before = [@config.cable, @config.logger]
    @config.cable = { "adapter" => "async" }
    @config.logger = Logger.new(nil)
  end

  def teardown
    ActionCable.server.restart
    @config.cable, @config.logger = @before
    super
  end

  private

  def start(**attributes) = Told.start!(owner: @owner, prompt: "Why?", **attributes)

  # What goes wrong in the block would end the generation, and no test.
  def work(generation)
    wrong = nil
    super do |out|
      yield out
    rescue StandardError => error
      wrong = error
    end
    raise wrong if wrong

    generation
  end

  def listen(generation) = Listener.new(generation)

  def wait(what, seconds: 20)
    deadline = now + seconds
    until (value = yield)
      flunk "#{what}: not within #{seconds} s" if now > deadline
      sleep 0.005
    end
    value
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
