# frozen_string_literal: true

require "pg"
require_relative "server"
require_relative "unprivileged"

module Databases
  # Its data survive `kill`. With durable: true they are on the disk as well when a transaction has ended, as in production.
  class PostgreSQL < Server
    include Unprivileged

    STOP_SIGNAL = :INT # without waiting for its clients
    KILL_SIGNAL = :QUIT # what it calls an immediate shutdown; SIGKILL would leave shared memory in the system
    FOLDERS = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"].freeze

    # settings: of postgresql.conf.
    def initialize(durable: false, **settings)
      fast = durable ? {} : { fsync: "off", full_page_writes: "off" }
      @settings = { **fast, max_connections: 200, shared_buffers: "32MB", dynamic_shared_memory_type: "mmap", **settings }
      super()
    end

    def user = "streamer"
    def database = "postgres"
    def url(database = self.database) = "postgresql://#{user}@#{host}:#{port}/#{database}"

    def active_record(database: self.database)
      { adapter: "postgresql", host: host, port: port, username: user, database: database }
    end

    # Active Record's configuration of a new database. template: a database to copy, with nobody connected to it.
    def fresh(template: "template1")
      name = "fresh#{number}"
      sql("CREATE DATABASE #{name} TEMPLATE #{template}")
      active_record(database: name)
    end

    def drop(configuration) = sql("DROP DATABASE IF EXISTS #{configuration.fetch(:database)} WITH (FORCE)")

    # The rows, as Hashes of Ruby's values.
    def sql(statements, database: self.database, port: self.port)
      connection = PG.connect(host: host, port: port, user: user, dbname: database, connect_timeout: 10)
      connection.set_notice_processor {} # it would go to standard error
      connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
      connection.exec(statements).to_a
    ensure
      connection&.close
    end

    private

    def prepare
      super
      initdb = unprivileged(program("initdb"), "--pgdata", data, "--username", user, "--auth", "trust", "--encoding", "UTF8",
                            "--locale", "C", "--wal-segsize", "1", "--no-sync", "--no-instructions")
      system(*initdb, chdir: directory, in: File::NULL, out: [log_file, "a"], err: [:child, :out]) or raise "initdb failed:\n#{log}"
    end

    def command_line
      unprivileged(program("postgres"), "-D", data, "-p", port.to_s, "-h", host, "-k", directory,
                   *@settings.flat_map { |name, value| ["-c", "#{name}=#{value}"] })
    end

    def ready?
      sql("SELECT 1")
    rescue PG::ConnectionBad
      false
    end

    def program(name) = Server.program!(name, folders: FOLDERS)
    def data = path("data")
  end
end
