# frozen_string_literal: true

require_relative "part"

module Bench
  # As many people as the application that waits can just serve.
  class Day < ProductPart
    NAME = "day"
    NOTE = <<~TEXT
      People ask a model through a Rails application on a Puma of five threads; an answer takes 8.5 s, seventeen words, two a second. They come at random
      moments, as many as five threads that wait can just serve, and give up after 30 s, as a router does. In the one application the request waits for the
      whole answer. In the other the page is there at once, a job of Solid Queue asks, and the page follows the log; all databases are SQLite. Behind the
      model's: from the moment at which the model writes the first word to the browser's socket.
    TEXT

    # Of five threads with 8.5 s each: all that they can do.
    PER_SECOND = 5 / 8.5
    SECONDS = 180
    SEED = 13

    private

    # Exponential gaps, the same for both.
    def arrivals
      random = Random.new(SEED)
      at = 0
      @arrivals ||= [].tap { |moments| moments << at while (at += -Math.log(1 - random.rand) / PER_SECOND) < (@reduced ? 20 : SECONDS) }
    end

    def judge
      synchronous, streamed = @found.values_at("synchronous", "streamed")
      target("page against the one that waits", "<= 0.02", median(streamed, :page) / median(synchronous, :page), "×")
      target("first word, behind the model's", "<= 30", first_behind(streamed), "ms")
      target("timed out", "<= 0", late(streamed), "%")
      target("threads busy", "<= 5", streamed[:busy], "%")
    end
  end
end
