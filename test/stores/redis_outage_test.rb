# frozen_string_literal: true

require "test_helper"
require "support/redis_store_case"
require "support/tcp_proxy"

# What happens to logs when their Redis stops, starts again, is full, or does not answer.
class RedisOutageTest < Minitest::Test
  include RedisStoreCase

  attr_reader :redis

  def server(**options)
    @redis = Databases::Redis.new(**options)
    @store = Streamer::Stores::Redis.new(RedisClient.config(url: @redis.url, timeout: 0.3, reconnect_attempts: 1))
  end

  def teardown = @redis&.remove

  def unavailable(pattern = //)
    error = assert_raises(Unavailable) { yield }
    assert_match pattern, error.message
    assert_kind_of RedisClient::Error, error.cause
    error
  end

  def test_all_calls_say_so_while_it_is_away_and_work_once_it_is_back
    server
    key = begun(@store)
    redis.stop
    unavailable(/Connection refused/) { write(@store, key, 0, 1) }
    unavailable { @store.heads([key]) }
    unavailable { @store.read({ key => Position::START }) }
    unavailable { @store.create("x") }
    unavailable { @store.claim(key, owner: "me", lease: LEASE) }
    unavailable { @store.overdue }
    assert_nil @store.wake([key])
    redis.start
    assert_nil head(@store, key), "it kept nothing"
    assert_predicate write(@store, key, 0, 1), :missing?
    begun(@store, key)
    assert_nil write(@store, key, 0, 1)
  end

  def test_a_restart_with_a_file_keeps_logs_and_the_next_call_finds_it
    server(appendonly: "yes", appendfsync: "always")
    key = begun(@store)
    write(@store, key, 0, 3, text: "abc")
    redis.kill
    redis.start
    assert_nil write(@store, key, 3, 5)
    assert_equal %w[1-0 1-1 1-2 1-3 1-4 1-5], ids(read(@store, key))
    assert_equal ["abc"], @store.text(key).map(&:text)
    assert_predicate head(@store, key), :leased?
  end

  def test_a_writer_whose_redis_stands_still_cannot_tell_and_finds_out_afterwards
    server
    key = begun(@store)
    write(@store, key, 0, 1)
    redis.pause
    unavailable(/Waited 0.3 seconds/) { write(@store, key, 1, 2) }
    redis.resume
    found = write(@store, key, 1, 2)
    assert_equal 2, (found || head(@store, key)).sequence
    assert_equal %w[1-0 1-1 1-2], ids(read(@store, key))
    assert_nil write(@store, key, 2, 3)
  end

  def test_a_full_redis_takes_nothing_of_an_append_and_still_lets_entries_be_deleted
    server(maxmemory_policy: "noeviction")
    key = begun(@store)
    write(@store, key, 0, 2, text: "two")
    write(@store, key, 2, 4)
    redis.command("CONFIG", "SET", "maxmemory", 1)
    unavailable(/reached maxmemory.*retention/m) { write(@store, key, 4, 5) }
    unavailable { write(@store, key, 4, 5, state: "completed", text: "five") }
    unavailable { @store.create("more") }
    unavailable { @store.claim(key, owner: "me", lease: LEASE) }
    assert_equal [1, 4], head(@store, key).then { |one| [one.epoch, one.sequence] }
    assert_equal "1-2", @store.prune(key, through: Position.new(1, 4)).pruned.to_s
    assert_equal %w[1-3 1-4], ids(read(@store, key))
    redis.command("CONFIG", "SET", "maxmemory", 0)
    assert_nil write(@store, key, 4, 5, state: "completed", text: "five")
  end

  def test_a_replica_refuses_and_its_connection_is_not_used_again
    server
    key = begun(@store)
    redis.command("REPLICAOF", "127.0.0.1", "1")
    unavailable(/is a replica/) { write(@store, key, 0, 1) }
    unavailable(/is a replica/) { @store.stop(key, epoch: 1) }
    redis.command("REPLICAOF", "NO", "ONE")
    assert_nil write(@store, key, 0, 1)
  end

  def test_too_few_replicas_for_the_server_are_an_outage
    server(min_replicas_to_write: 1)
    unavailable(/min-replicas-to-write/) { @store.create("log") }
  end

  def test_a_connection_that_breaks_behind_an_append_leaves_it_stored_and_the_repetition_finds_that
    server
    key = begun(@store)
    proxy = TCPProxy.new(redis.port)
    store = Streamer::Stores::Redis.new(RedisClient.config(url: "redis://127.0.0.1:#{proxy.port}", timeout: 2))
    assert_nil write(store, key, 0, 1)
    proxy.cut_next_answer
    unavailable { write(store, key, 1, 2) }
    found = write(store, key, 1, 2)
    assert_equal [1, 2], [found.epoch, found.sequence]
    assert_nil write(store, key, 2, 3)
    assert_equal %w[1-0 1-1 1-2 1-3], ids(read(store, key))
  ensure
    proxy&.close
  end
end
