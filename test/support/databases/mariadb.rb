# frozen_string_literal: true

require "trilogy"
require_relative "server"

module Databases
  # Its data survive `kill`. With durable: true they are on the disk as well when a transaction has ended, as in production.
  class MariaDB < Server
    # Without those for help texts and for statistics, which take most of the time of mariadb-install-db.
    SYSTEM_TABLES = %w[system_tables.sql system_tables_data.sql].map { |name| "/usr/share/{mysql,mariadb}/{mysql,mariadb}_#{name}" }.freeze

    # settings: of my.cnf.
    def initialize(durable: false, **settings)
      fast = durable ? {} : { innodb_flush_log_at_trx_commit: 2, innodb_doublewrite: 0 }
      @settings = { **fast, innodb_log_file_size: "16M", innodb_buffer_pool_size: "64M", max_connections: 200, **settings }
      super()
    end

    def user = "root"
    def database = "mysql"
    def url(database = self.database) = "trilogy://#{user}@#{host}:#{port}/#{database}"

    def active_record(database: self.database)
      { adapter: "trilogy", host: host, port: port, username: user, database: database, encoding: "utf8mb4" }
    end

    # Active Record's configuration of a new database.
    def fresh
      name = "fresh#{number}"
      sql("CREATE DATABASE #{name} CHARACTER SET utf8mb4")
      active_record(database: name)
    end

    def drop(configuration) = sql("DROP DATABASE IF EXISTS #{configuration.fetch(:database)}")

    # The rows, as Hashes of Ruby's values.
    def sql(statement, database: self.database)
      connection = Trilogy.new(host: host, port: port, username: user, database: database, connect_timeout: 10)
      connection.query(statement).each_hash.to_a
    ensure
      connection&.close
    end

    private

    def prepare
      Dir.mkdir(data)
      File.write(path("system.sql"), ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket = NULL;",
                                      *SYSTEM_TABLES.map { |pattern| File.read(Dir[pattern].first) }].join("\n"))
      system(*server, "--bootstrap", chdir: directory, in: path("system.sql"), out: [log_file, "a"], err: [:child, :out]) or
        raise "mariadbd --bootstrap failed:\n#{log}"
    end

    def command_line
      [*server, "--bind-address=#{host}", "--port=#{port}", "--socket=#{path("socket")}", "--pid-file=#{path("pid")}",
       "--skip-name-resolve", "--skip-ssl"] # newer ones would spend seconds on a key of their own at every start
    end

    def server
      settings = @settings.map { |name, value| "--#{name.to_s.tr("_", "-")}=#{value}" }
      [Server.program!("mariadbd", "mysqld"), "--no-defaults", *("--user=root" if Process.uid.zero?), "--datadir=#{data}", *settings]
    end

    def ready?
      sql("SELECT 1")
    rescue Trilogy::Error, SystemCallError
      false
    end

    def data = path("data")
  end
end
