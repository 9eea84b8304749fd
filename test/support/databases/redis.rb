# frozen_string_literal: true

require "redis-client"
require_relative "server"

module Databases
  class Redis < Server
    # The server is the same program as the check, and looks at the name that it is called by. Debian has the check in a package that
    # brings no service.
    PROGRAMS = %w[redis-server redis-check-rdb].freeze
    DATABASES = 2000

    # replica_of: another one. settings: of redis.conf, with _ for -.
    def initialize(replica_of: nil, **settings)
      @settings = { save: "", databases: DATABASES, repl_diskless_sync_delay: 0, shutdown_timeout: 0, **settings }
      @primary = replica_of
      super()
    end

    # number: of the database.
    def url(number = 0) = "redis://#{host}:#{port}/#{number}"

    # Of an empty database. Channels of publications are in none.
    def fresh = { url: url(number) }

    # Of keys and channels that nobody else has.
    def prefix = "t#{number}:"

    # The answer to one command.
    def command(*words, **options)
      client = RedisClient.config(url: url, **options).new_client
      client.call(*words)
    ensure
      client&.close
    end

    # Makes it a replica of another one, and waits until it has that one's data.
    def follow(primary)
      @primary = primary
      command("REPLICAOF", primary.host, primary.port)
      wait_follows
    end

    def promote
      @primary = nil
      command("REPLICAOF", "NO", "ONE")
    end

    # A section of its INFO.
    def info(section) = command("INFO", section).scan(/^(\w+):(.*?)\r?$/).to_h

    private

    def command_line
      settings = { bind: host, port: port, dir: directory, daemonize: "no", **@settings }
      settings[:replicaof] = "#{@primary.host} #{@primary.port}" if @primary
      [program, *settings.flat_map { |name, value| argument(name, value) }]
    end

    def program = [Server.program!(*self.class::PROGRAMS), self.class::PROGRAMS.first]

    def argument(name, value) = ["--#{name.to_s.tr("_", "-")}", *(value.to_s.empty? ? "" : value.to_s.split)]

    def ready?
      return false unless command("PING") == "PONG"

      wait_follows if @primary
      true
    rescue RedisClient::ConnectionError, RedisClient::CommandError # the latter while it loads its data
      false
    end

    def wait_follows
      wait("#{url} follows #{@primary.url}") { info("replication")["master_link_status"] == "up" }
    end
  end
end
