# frozen_string_literal: true

require "support/tcp_proxy"

module Trials
  # A server of its own, which is restarted.
  class PostgreSQLSite < SQLSite
    def initialize
      @server = Databases::PostgreSQL.new
      super(@server.fresh)
    end

    def faults = super + %i[cut restart end_connections]

    def proxy = TCPProxy.new(@server.port)

    # An append is one statement.
    def statements = 1

    def lock(random, _key, seconds: random.rand(0.3))
      @server.sql("BEGIN; LOCK TABLE streamer_logs IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(#{seconds}); ROLLBACK", database: name)
    end

    # Seldom: it takes a second.
    def restart(random, _key) = random.rand(4).zero? && (random.rand(2).zero? ? @server.kill.then { @server.start } : @server.restart)

    def end_connections(_random, _key)
      @server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '#{name}' AND pid <> pg_backend_pid()", database: name)
    end

    def close
      super
      @server.remove
    end

    private

    def name = @configuration.fetch(:database)
  end
end
