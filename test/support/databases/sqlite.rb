# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require_relative "../databases"

module Databases
  # No server, but files in a temporary directory.
  class SQLite
    attr_reader :directory

    def self.shared = @shared ||= new

    def initialize
      owner = Process.pid
      @directory = Dir.mktmpdir("streamer-database")
      @number = 0
      Watchdog.made(@directory)
      at_exit { remove if Process.pid == owner }
    end

    def path(name = "database") = File.join(directory, "#{name}.sqlite3")

    # As a new Rails application has it.
    def active_record(database: path) = { adapter: "sqlite3", database: database, timeout: 5000 }

    def fresh = active_record(database: path("fresh#{@number += 1}"))

    def remove
      FileUtils.rm_rf(@directory)
      Watchdog.removed(@directory)
    end
  end
end
