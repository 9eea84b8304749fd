# frozen_string_literal: true

require "json"

module Bench
  # A running tools/readers.c: `opened` is what it said when all were connected, `result` what it found.
  class Readers
    attr_reader :opened

    def initialize(command)
      @process = IO.popen(command, "r+")
      @opened = answer
    end

    # Once so many messages were handed over, and no more are going to be.
    def result(sent)
      say(sent)
      answer.tap { @process.close }.then { |found| { **found, lost: sent - found[:received] } }
    end

    # What it says on its own, at the end of an idle time.
    def idle = answer.tap { @process.close }

    private

    # It may have all of them already, and be gone.
    def say(sent)
      @process.puts(sent)
      @process.flush
    rescue Errno::EPIPE
      nil
    end

    def answer
      line = @process.gets or raise "the load generator ended: see its error above"
      JSON.parse(line, symbolize_names: true)
    end
  end
end
