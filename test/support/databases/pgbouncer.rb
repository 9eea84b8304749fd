# frozen_string_literal: true

require_relative "server"
require_relative "unprivileged"

module Databases
  # In front of all databases of a PostgreSQL.
  class PgBouncer < Server
    include Unprivileged

    STOP_SIGNAL = :KILL # it has nothing to keep, and since 1.23 it would wait for its clients to go

    attr_reader :postgresql

    # settings: of pgbouncer.ini.
    def initialize(postgresql, pool_mode: "transaction", **settings)
      @postgresql = postgresql
      @settings = { pool_mode: pool_mode, max_client_conn: 500, default_pool_size: 20, **settings }
      super()
    end

    def user = postgresql.user
    def database = postgresql.database
    def url(database = self.database) = "postgresql://#{user}@#{host}:#{port}/#{database}"

    # What Active Record's guide asks for behind a pool of transactions.
    def active_record(database: self.database)
      { **postgresql.active_record(database: database), port: port, prepared_statements: false, advisory_locks: false }
    end

    def fresh(**options) = active_record(database: postgresql.fresh(**options).fetch(:database))
    def drop(configuration) = postgresql.drop(configuration)

    def sql(statements, database: self.database) = postgresql.sql(statements, database: database, port: port)

    private

    def prepare
      super
      File.write(path("users"), %("#{user}" ""\n))
      settings = { listen_addr: host, listen_port: port, unix_socket_dir: "", auth_type: "trust", auth_file: path("users"), **@settings }
      File.write(path("pgbouncer.ini"), <<~INI)
        [databases]
        * = host=#{postgresql.host} port=#{postgresql.port}
        [pgbouncer]
        #{settings.map { |name, value| "#{name} = #{value}" }.join("\n")}
      INI
    end

    def command_line = unprivileged(Server.program!("pgbouncer"), path("pgbouncer.ini"))

    def ready?
      sql("SELECT 1")
    rescue PG::ConnectionBad
      false
    end
  end
end
