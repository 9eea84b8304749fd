# frozen_string_literal: true

module Trials
  # A file.
  class SQLiteSite < SQLSite
    def initialize
      super(Databases::SQLite.shared.fresh)
      SQLite3::ForkSafety.suppress_warnings! # authors make connections of their own
    end

    # Nobody else can write; now and then for longer than writers wait.
    def lock(random, _key, seconds: random.rand(20).zero? ? 5.5 : random.rand(0.3))
      connection = SQLite3::Database.new(@configuration.fetch(:database))
      connection.busy_timeout = 5000
      connection.execute("BEGIN IMMEDIATE")
      sleep(seconds)
      connection.execute("ROLLBACK")
    rescue SQLite3::BusyException
      nil
    ensure
      connection&.close
    end

    private

    def for_update = ""
  end
end
