# frozen_string_literal: true

require "test_helper"
require "streamer/testing/store_conformance"
require "support/broken_stores"

# The suite for stores, itself: each of its tests fails where its rule is broken, and there is no rule without a store that breaks it.
class StoreConformanceTest < Minitest::Test
  # A test case of the suite that minitest does not run by itself.
  def suite(store_class)
    Class.new(Minitest::Test) do
      include Streamer::Testing::StoreConformance

      define_method(:new_store) do
        @now = 1000.0
        store_class.new(clock: -> { @now })
      end

      def second_store = store.respond_to?(:second_view) ? store.second_view : store
      def unreachable_store = store.respond_to?(:unreachable) ? store.unreachable : nil
      def advance(seconds) = @now += seconds
      def patience = 0.3
    end.tap { |suite| Minitest::Runnable.runnables.delete(suite) }
  end

  def failures_of(store_class, name)
    result = suite(store_class).new(name.to_s).run
    result.failures
  end

  # A race is not lost every time.
  TRIES = 20

  BrokenStores.all.each_with_index do |(name, store_class), index|
    define_method(:"test_the_suite_finds_broken_rule_#{index}_#{name.to_s.delete_prefix("test_")}") do
      found = (1..TRIES).any? do
        failures = nil
        capture_io { failures = failures_of(store_class, name) }
        failures.any?
      end

      assert found, "#{name} passes on a store that breaks it"
    end
  end

  def test_each_rule_is_broken_by_some_store
    assert_empty suite(Streamer::Stores::Memory).public_instance_methods.grep(/\Atest_/) - BrokenStores.all.map(&:first)
  end

  def test_a_store_s_test_defines_new_store
    suite = Class.new(Minitest::Test) { include Streamer::Testing::StoreConformance }
    Minitest::Runnable.runnables.delete(suite)
    failure = suite.new("test_a_log_is_created_once").run.failures.first

    assert_kind_of NotImplementedError, failure.error
  end
end
