# frozen_string_literal: true

require "json"

module Bench
  # apps/log/worker.rb, seen from outside.
  class WorkerProcess
    attr_reader :pid

    # commands, answers: pipes; log: the path of what it says of errors.
    def initialize(pid, commands, answers, log)
      @pid = pid
      @commands = commands
      @answers = answers
      @log = log
    end

    # Does it and returns the answer.
    def tell(name, **arguments)
      @commands.puts(JSON.generate(do: name, **arguments))
      wait
    end

    def wait
      line = @answers.gets or raise "the worker ended:\n#{File.read(@log)[0, 2000]}"
      JSON.parse(line, symbolize_names: true)
    end

    def close = [@commands, @answers].each(&:close)
  end
end
