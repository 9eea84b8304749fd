# frozen_string_literal: true

require_relative "readers"
require_relative "tools"
require_relative "worker_process"

module Bench
  # A contender's web server and worker.
  class Site
    attr_reader :contender, :root, :web, :worker

    # on: the command before a tool's; the block ends processes.
    def initialize(contender, root:, web:, worker:, on:, &finish)
      @contender = contender
      @root = root
      @web = web
      @worker = worker
      @on = on
      @finish = finish
    end

    # Readers of answers PREFIX-0, -1 and so on, or of those that `path` says, once all are connected. Options are the load generator's.
    def readers(prefix, count, messages, path: contender.path(prefix), **options)
      options = [*contender.options(prefix), *options.map { |name, value| "#{name}=#{value}" }, "pid=#{web.pid}"]
      Readers.new([*@on, Tools.c("readers"), web.port, path, count, messages, *options].map(&:to_s))
    end

    def stop
      worker.close
      @finish.call([worker.pid, web.pid])
    end
  end
end
