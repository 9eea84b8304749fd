# frozen_string_literal: true

# What a worker does with ours: a log for each answer.
class Logs
  def self.make_tables
    return if STORE == "redis"

    require_relative "../../../test/support/log_tables"
    LogTables.create(ActiveRecord::Base)
  end

  # ids: of the answers, which begin now.
  def initialize(ids)
    @writers = ids.map { |id| Streamer::Log.create(id).claim }
  end

  def hand_over(index, text) = @writers[index] << text

  # Until everything is stored.
  def flush = @writers.each(&:flush)

  def close = @writers.each(&:close)
end
