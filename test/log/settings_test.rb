# frozen_string_literal: true

require "test_helper"

class LogSettingsTest < Minitest::Test
  def teardown
    Streamer::Log.store = nil
    Streamer::Log.retention = 3600
    Streamer::Log.lease = 30
  end

  def test_a_store_by_name_by_object_and_none
    apply({ store: :memory, retention: 60 })

    assert_equal(:memory, Streamer::Log.store.name)
    assert_in_delta(60, Streamer::Log.retention)

    own = Object.new
    apply({ store: own })

    assert_same(own, Streamer::Log.store)
  end

  def test_a_shorter_lease_is_what_a_process_claims_logs_for
    apply({ store: :memory, lease: 3 })

    assert_in_delta(3, Streamer::Log::Background.new(Streamer::Log.store).lease_keeper.lease)
  end

  def test_memory_is_refused_where_others_could_not_see_it
    { { "WEB_CONCURRENCY" => "2" } => "WEB_CONCURRENCY is 2", { "WEB_CONCURRENCY" => "auto" } => "WEB_CONCURRENCY is auto" }
      .each { |environment, reason| assert_includes(refusal({ store: :memory }, environment: environment), reason) }
    assert_includes(refusal({ store: :memory }, queue_adapter: :solid_queue), "queue_adapter is :solid_queue")
    apply({ store: :memory }, queue_adapter: :async)
  end

  def test_what_is_wrong_is_named
    assert_includes(refusal({ stoer: :memory }), "config.streamer.log.stoer")
    assert_includes(refusal({ store: :sqlite }), "it takes :active_record")
    assert_includes(refusal({ store: :memory, retention: :soon }), "retention is :soon")
    assert_includes(refusal({ store: :memory, lease: 0.5 }), "lease is 0.5; it takes seconds, 1 at least")
  end

  def test_without_a_store_the_error_says_what_to_set
    assert_includes(assert_raises(ArgumentError) { Streamer::Log.create }.message, "config.streamer.log.store")
  end

  private

  def apply(options, queue_adapter: nil, environment: {})
    Streamer::Log.const_get(:Settings).new(options, queue_adapter: queue_adapter, environment: environment).apply
  end

  def refusal(...) = assert_raises(ArgumentError) { apply(...) }.message
end
