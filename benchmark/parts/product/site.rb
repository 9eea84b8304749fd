# frozen_string_literal: true

require "yaml"
require_relative "../../support/processes"

module Bench
  # The application of apps/product with its web server of five threads on the first core, and a model, a worker and the users on the
  # second. Every site has a database of its own.
  #
  #   ProductSite.open(jobs: 50) do |site|       # jobs: that the worker does at once
  #     site.users("streamed", [0, 0.5])         # what each of them saw, by the moments at which they ask
  #     site.figures                             # what the web server counted
  #   end
  class ProductSite < Processes
    THREADS = 5

    # Of the worker, to the application's database and to the logs'.
    CONNECTIONS = 3

    # What Rails 8 does by itself.
    WAITING = { "timeout" => 5000, "default_transaction_mode" => "immediate" }.freeze

    # Connections that Solid Queue keeps for itself.
    QUEUE_CONNECTIONS = 5

    def initialize(jobs:)
      super()
      @jobs = jobs
      @upstream = start_upstream
      configure
      run_to_end("tables", variables, "tables.rb")
      @web = start("web", variables) do |port|
        [*ruby, "puma", "--quiet", "--no-config", "--bind", "tcp://127.0.0.1:#{port}", "--threads", "#{THREADS}:#{THREADS}", app("config.ru")]
      end
      start_worker
      warm_up
    end

    def users(way, arrivals)
      run("users", [*on(1), RbConfig.ruby, "-W0", app("users.rb"), way, @web.port.to_s, arrivals.map { |at| at.round(3) }.join(",")])
    rescue RuntimeError => error
      raise "#{error.message}:\n#{File.read(log("web"))[0, 4000]}"
    end

    def figures = JSON.parse(@web.get("/figures"), symbolize_names: true)

    # Seconds for which requests have kept its threads.
    def busy = Float(File.read(File.join(@directory, "busy")))

    # Of the worker, by database.
    def connections
      path = File.join(@directory, "worker.json")
      Process.kill(:USR1, @worker)
      deadline = now + STOP_SECONDS
      sleep 0.02 until File.exist?(path) || now > deadline
      JSON.parse(File.read(path))
    end

    # Whether the worker's jobs are fibers.
    def fibers? = Gem::Version.new(Gem.loaded_specs.fetch("solid_queue").version) >= Gem::Version.new("1.6")

    private

    def variables
      { "RAILS_ENV" => "production", "RACK_ENV" => "production", "APP_ROOT" => @directory, "UPSTREAM" => "http://127.0.0.1:#{@upstream}" }
    end

    def start_worker
      pools = { "POOL" => CONNECTIONS.to_s, "FIBERS" => ("1" if fibers?) }
      @worker = spawn({ **variables, **pools }, [*on(1), *script("worker.rb")], out: log("worker"), err: %i[child out])
    end

    def configure
      FileUtils.mkdir_p(File.join(@directory, "config"))
      pool = "<%= ENV.fetch('POOL', #{THREADS + 5}) %>"
      pools = { "primary" => pool, "logs" => pool, "queue" => fibers? ? QUEUE_CONNECTIONS : @jobs + QUEUE_CONNECTIONS }
      databases = pools.to_h do |name, size|
        [name, { "adapter" => "sqlite3", "database" => File.join(@directory, "#{name}.sqlite3"), "pool" => size, **WAITING }]
      end
      write("database", databases)
      write("queue", { "dispatchers" => [{ "polling_interval" => 1 }],
                       "workers" => [{ "queues" => "*", (fibers? ? "fibers" : "threads") => @jobs, "polling_interval" => 0.1 }] })
    end

    def write(name, settings)
      yaml = YAML.dump("production" => settings).gsub(/"?(<%.*?%>)"?/, "\\1")
      File.write(File.join(@directory, "config/#{name}.yml"), yaml)
    end

    # Until the worker has answered, and whatever is loaded late is loaded.
    def warm_up
      %w[streamed synchronous].each { |way| users(way, [0]) }
    end

    def app(name) = File.join(APPS, "product", name)

    def script(name) = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", app(name)]

    def log(name) = File.join(@directory, "#{name}.log")

    def run_to_end(name, variables, script)
      pid = spawn(variables, script(script), out: log(name), err: %i[child out])
      @pids.delete(Process.wait(pid))
      raise "#{name} failed:\n#{File.read(log(name))}" unless $?.success?
    end
  end
end
