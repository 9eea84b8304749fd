# frozen_string_literal: true

require "sqlite3"

module GenerationSoak
  # What goes wrong in a round; each gives the seconds that it has taken.
  class Faults
    ALL = %i[kill stop web lock redis cut].freeze

    # Seconds for which a database is locked.
    LOCKED = 5

    def initialize(site, redis)
      @site = site
      @redis = redis
    end

    def call(name, random, lease)
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      send(name, random, lease)
      Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
    end

    private

    # One of Solid Queue's workers, which its supervisor replaces.
    def kill(random, _) = Process.kill(:KILL, @site.workers.sample(random: random))

    # One of them is stopped for twice a lease, and goes on.
    def stop(random, lease)
      pid = @site.workers.sample(random: random)
      Process.kill(:STOP, pid)
      sleep(lease * 2)
    ensure
      Process.kill(:CONT, pid)
    end

    # The process that generations were begun by; another takes its place.
    def web(*) = @site.replace_web

    def lock(*)
      locks = %w[app logs].map { |name| SQLite3::Database.new(File.join(@site.directory, "#{name}.sqlite3")).tap { |lock| lock.busy_timeout = 10_000 } }
      locks.each { |database| database.execute("BEGIN IMMEDIATE") }
      sleep(LOCKED)
    ensure
      locks&.each(&:close)
    end

    def redis(*) = @redis.restart

    # The upstream does it.
    def cut(*) = nil
  end
end
