# frozen_string_literal: true

require_relative "generation_case"
require "support/databases"
require "support/log_tables"
require "support/error_reports"
require "support/patience"

# What is to happen once happens once on every database, with the logs beside the records.
module GenerationOnADatabase
  include ErrorReports
  include Patience

  def store
    LogTables.create(ActiveRecord::Base)
    Streamer::Stores::ActiveRecord.new(record: ActiveRecord::Base)
  end

  def test_one_key_from_many_threads_is_one_generation_and_one_job
    started = at_once(12) { Answer.start!(owner: @owner, prompt: "?", idempotency_key: "k") }

    assert_equal([1, 1, 1], [started.uniq.size, Answer.count, @adapter.enqueued_jobs.size])
  end

  def test_one_key_from_within_transactions_is_one_generation
    started = at_once(6) { Answer.transaction { Owner.count && Answer.start!(owner: @owner, prompt: "?", idempotency_key: "k") } }

    assert_equal([1, 1], [started.uniq.size, Answer.count])
  end

  def test_many_threads_never_get_beyond_the_limit
    started = at_once(12) { Answer.start!(owner: @owner, prompt: "?") }

    assert_equal([3, 3], [started.compact.size, Answer.in_progress.count])
  end

  def test_a_rolled_back_start_leaves_no_log
    Answer.transaction { start && raise(ActiveRecord::Rollback) }

    assert_equal(0, count("streamer_logs"))
    assert_empty(@adapter.enqueued_jobs)
  end

  def test_it_is_completed_with_its_text_and_usage
    generation = work(start) do |out|
      out << "ça 🥐 \0 "
      out << ("b" * 100_000)
      out.usage = { output_tokens: 2 }
    end

    assert_equal("completed", generation.status)
    assert_equal("ça 🥐  #{"b" * 100_000}", generation.content)
    assert_equal({ "output_tokens" => 2 }, generation.usage)
  end

  def test_beyond_the_limit_turns_are_given_in_order
    Answer.in_progress_limits = [Streamer::Generation::InProgressLimit.new(1, per: :owner, queue: true, name: "t") { [Answer] }]
    first, second, third = Array.new(3) { start }
    work(first) { |out| out << "a" }

    assert_equal(%w[queued waiting], [second, third].map { |one| one.reload.phase })
    second.stop!
    assert_equal("queued", third.reload.phase)
  ensure
    Answer.in_progress_limits = [Streamer::Generation::InProgressLimit.new(3, per: :owner, name: Answer.name) { [Answer] }]
  end

  private

  Answer = GenerationCase::Answer
  Owner = GenerationCase::Owner

  def count(table) = ActiveRecord::Base.connection.select_value("SELECT COUNT(*) FROM #{table}")

  def prepare_connection; end

  def at_once(count)
    go = Thread::Queue.new
    threads = Array.new(count) do
      Thread.new do
        prepare_connection
        go.pop
        yield
      rescue Streamer::LimitReachedError
        nil
      ensure
        ActiveRecord::Base.connection_handler.clear_active_connections!
      end
    end
    count.times { go << true }
    threads.map(&:value)
  end
end

class GenerationOnSQLiteTest < GenerationCase
  include GenerationOnADatabase

  # Rails 8 begins like this by itself: what has read first could not write otherwise.
  def database = { **super, pool: 40, default_transaction_mode: :immediate }

  private

  # The transactions are the test's own: before Rails 8 their wait for the lock would stop whoever has it.
  def prepare_connection = ActiveRecord::Base.with_connection { |connection| Streamer::Stores::ActiveRecord::SQLite.wait_for_lock(connection) }
end

class GenerationOnPostgreSQLTest < GenerationCase
  include GenerationOnADatabase

  def database = { **Databases::PostgreSQL.shared.fresh, pool: 40 }
end

class GenerationOnMariaDBTest < GenerationCase
  include GenerationOnADatabase

  def database = { **Databases::MariaDB.shared.fresh, pool: 40 }

  # Its snapshots end a transaction that has read before others have written: the caller's business, and not what is tested here.
  def prepare_connection
    ActiveRecord::Base.with_connection do |connection|
      next if connection.select_rows("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").empty?

      connection.execute("SET SESSION innodb_snapshot_isolation = OFF")
    end
  end

  def test_text_that_its_column_has_no_room_for_stays_in_the_log_and_the_generation_ends
    ActiveRecord::Base.connection.change_column(:answers, :content, :text, limit: 65_535)
    generation = start
    errors = reported { work(generation) { |out| out << ("x" * 70_000) } }

    assert_equal(["completed", nil, 70_000], [generation.status, generation.content, generation.text.size])
    assert_equal([ActiveRecord::ValueTooLong], errors.map(&:class))
  end
end
