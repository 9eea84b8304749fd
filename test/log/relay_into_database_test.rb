# frozen_string_literal: true

require "test_helper"
require "tmpdir"
require "active_record"
require "support/log_database"
require "support/upstream"

# Upstreams' answers in logs of a real database, SQLite's.
class RelayIntoDatabaseTest < Minitest::Test
  def setup
    @directory = Dir.mktmpdir("streamer-relay-into")
    @database = LogDatabase.new({ adapter: "sqlite3", database: "#{@directory}/logs.sqlite3" })
    Streamer::Log.store = @database.store
    @upstream = Upstream.new { |exchange| exchange.openai(tokens: 30, every: 0.02) }
  end

  def teardown
    @upstream.stop
    Streamer::Log.store = nil
    @database.close
    FileUtils.remove_entry(@directory)
  end

  def test_many_answers_at_once_are_whole_and_share_their_commits
    logs = Array.new(50) { Streamer::Log.create }
    statements = LogDatabase.statements { relay(logs) }
    commits = statements.count { |sql| sql.start_with?("COMMIT") }

    assert_operator(commits, :<, 30 * 50 / 4, "of 1,500 entries")
    logs.each { |log| assert_whole(log) }
  end

  def test_while_the_database_is_locked_entries_wait_and_none_is_lost
    log = Streamer::Log.create
    @database.record.with_connection do |connection|
      thread = Thread.new { relay([log]) }
      sleep 0.01 until @upstream.requests.any?
      connection.execute("BEGIN IMMEDIATE")
      stuck = log.head.sequence
      20.times { sleep 0.02 }

      assert_operator(log.head.sequence, :<=, stuck + 1)
      connection.execute("ROLLBACK")
      thread.join
    end

    assert_whole(log)
  end

  private

  # All at once, none in a thread of its own.
  def relay(logs)
    over = Thread::Queue.new
    logs.each do |log|
      intake = Streamer::Log::Intake.new(Streamer.request(:get, @upstream.url("/")), value: "choices.0.delta.content")
      intake.start(log.claim) { |result| over << result }
    end

    assert_equal([:completed], Array.new(logs.size) { over.pop.status }.uniq)
  end

  def assert_whole(log)
    text = Array.new(30) { |number| "t#{number} " }.join
    entries = log.entries

    assert_equal([text, Digest::SHA256.hexdigest(text)], [log.text, entries.last.json["sha256"]])
    assert_equal((0..31).map { |sequence| "1-#{sequence}" }, entries.map(&:id))
  end
end
