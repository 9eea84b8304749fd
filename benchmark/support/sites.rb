# frozen_string_literal: true

require "yaml"
require_relative "../../test/support/databases"
require_relative "log_contender"
require_relative "processes"
require_relative "site"

module Bench
  # The processes that a log is measured with: for each contender a Puma of three threads, which has the first core to itself, and a worker
  # on the second; the databases, as they are with their default settings, have both.
  #
  #   Sites.open do |sites|
  #     sites.with(LogContenders::SQLITE) { |site| ... }   # a Site, with a new and empty database
  #   end
  class Sites < Processes
    THREADS = "3:3"

    def with(contender)
      site = build(contender)
      yield site
    ensure
      site&.stop
    end

    # What a database server has counted: Redis' commands so far.
    def redis = @redis ||= Databases::Redis.new

    def stop
      super
      [@redis, @postgresql].compact.each(&:remove)
    end

    private

    def postgresql = @postgresql ||= Databases::PostgreSQL.new(durable: true)

    def build(contender)
      root = Dir.mktmpdir("site", @directory)
      variables = { "RAILS_ENV" => "production", "RACK_ENV" => "production", "WAY" => contender.way, "STORE" => contender.store,
                    "APP_ROOT" => root, **configure(contender, root) }
      worker = start_worker(variables)
      worker.tell(:tables)
      web = start(File.basename(root), variables) do |port|
        [*ruby, "puma", "--quiet", "--no-config", "--bind", "tcp://127.0.0.1:#{port}", "--threads", THREADS, File.join(APPS, "log/config.ru")]
      end
      Site.new(contender, root: root, web: web, worker: worker, on: on(1)) { |pids| finish(pids) }
    end

    # Variables of the environment.
    def configure(contender, root)
      FileUtils.mkdir_p([File.join(root, "config"), File.join(root, "public")])
      adapter = { "solid_cable" => { "adapter" => "solid_cable" }, "cable" => { "adapter" => "redis", "url" => "<%= ENV['REDIS_URL'] %>" } }
      write(root, "cable", adapter.fetch(contender.way, { "adapter" => "async" }))
      return { "REDIS_URL" => redis.fresh.fetch(:url) } if contender.store == "redis"

      write(root, "database", database(contender.store, root).merge(pool: 20).transform_keys(&:to_s))
      {}
    end

    def database(store, root)
      return postgresql.fresh if store == "postgresql"

      { adapter: "sqlite3", database: File.join(root, "production.sqlite3"), timeout: 5000 }
    end

    def write(root, name, settings) = File.write(File.join(root, "config/#{name}.yml"), YAML.dump("production" => settings))

    def start_worker(variables)
      input, commands = IO.pipe
      answers, output = IO.pipe
      log = File.join(variables.fetch("APP_ROOT"), "worker.log")
      command = [*on(1), RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", File.join(APPS, "log/worker.rb")]
      pid = spawn(variables, command, in: input, out: output, err: log)
      [input, output].each(&:close)
      WorkerProcess.new(pid, commands, answers, log).tap(&:wait)
    end

    def finish(pids)
      pids.each { |pid| Process.kill(:INT, pid) }
      pids.each { |pid| reap(pid) }
      @pids -= pids
    end
  end
end
