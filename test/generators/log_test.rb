# frozen_string_literal: true

require "test_helper"
require "support/generator_case"
require "support/log_tables"
require "active_record"
require "generators/streamer/log/log_generator"

# rails g streamer:log.
class LogGeneratorTest < GeneratorCase
  tests Streamer::Generators::LogGenerator

  def test_the_migration_makes_three_tables
    run_generator

    assert_migration "db/migrate/create_streamer_logs.rb" do |text|
      assert_match(/ActiveRecord::Migration\[#{ActiveRecord::Migration.current_version}\]/, text)
      assert_equal %w[streamer_logs streamer_log_batches streamer_log_pieces], text.scan(/create_table :(\w+)/).flatten
      assert_match(/create_table :streamer_logs do/, text)
      assert_equal 2, text.scan("t.column :log_id, :bigint, null: false").size
      assert_valid_syntax text
    end
  end

  def test_the_applications_type_of_keys_is_respected
    run_generator %w[--primary-key-type=uuid]

    assert_migration "db/migrate/create_streamer_logs.rb" do |text|
      assert_match(/create_table :streamer_logs, id: :uuid do/, text)
      assert_equal 2, text.scan("t.column :log_id, :uuid, null: false").size
    end
  end

  def test_a_database_of_its_own_has_its_own_migrations_and_the_lines_are_shown
    shown = run_generator %w[--database=streamer]

    assert_migration "db/streamer_migrate/create_streamer_logs.rb"
    assert_match(%r{^ +streamer:\n.*migrations_paths: db/streamer_migrate}m, shown)
    assert_match(/connects_to: { database: { writing: :streamer } }/, shown)
    assert_no_migration "db/migrate/create_streamer_logs.rb"
  end

  def test_a_database_that_is_configured_keeps_its_paths
    before = ActiveRecord::Base.configurations
    ActiveRecord::Base.configurations = { Rails.env.to_s => { "logs" => { "adapter" => "sqlite3", "database" => "x", "migrations_paths" => "db/logs" } } }
    shown = run_generator %w[--database=logs]

    assert_migration "db/logs/create_streamer_logs.rb"
    refute_match(%r{config/database.yml}, shown)
  ensure
    ActiveRecord::Base.configurations = before
  end

  def test_a_second_time_makes_no_second_migration
    run_generator
    run_generator %w[--skip]
    assert_equal 1, tree.size
  end

  private

  def assert_valid_syntax(text) = assert(RubyVM::InstructionSequence.compile(text))
end
