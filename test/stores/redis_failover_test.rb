# frozen_string_literal: true

require "test_helper"
require "support/redis_store_case"

# Redis with replicas: what is confirmed by them, and what a promoted one lacks.
class RedisFailoverTest < Minitest::Test
  include RedisStoreCase

  attr_reader :redis

  def setup
    @redis = Databases::Redis.new
    @others = []
  end

  def teardown = [redis, *@others].reverse_each(&:remove)

  # One that gets what is written: a new one is counted by its primary at once, and served up to a second later.
  def replica
    Databases::Redis.new(replica_of: redis).tap do |one|
      @others << one
      redis.command("SET", "probe", 1)
      eventually("a copy") { one.command("GET", "probe") }
    end
  end

  def store(server = redis, **options)
    Streamer::Stores::Redis.new(RedisClient.config(url: server.url, timeout: 1, reconnect_attempts: 1), **options)
  end

  def waits(server = redis) = server.info("commandstats").fetch("cmdstat_wait", "")[/calls=(\d+)/, 1].to_i

  def test_replicas_confirm_a_claim_and_a_close_but_no_data
    replica
    key = begun(store)
    assert_equal 1, waits
    3.times { |number| write(store, key, number, number + 1) }
    store.renew({ key => 1 }, owner: "me", lease: LEASE)
    assert_equal 1, waits
    write(store, key, 3, 4, state: "completed")
    assert_equal 2, waits
    assert_predicate write(store, key, 4, 5, state: "failed"), :closed?
    assert_equal 2, waits
  end

  def test_nobody_waits_where_there_is_no_replica_or_none_is_wanted
    begun(store)
    replica
    begun(store(replicas: 0))
    assert_equal 0, waits
  end

  def test_a_replica_that_does_not_answer_delays_a_claim_and_does_not_prevent_it
    one = replica
    one.pause
    asked = now
    key = begun(store)
    assert_operator now - asked, :>, 0.15
    assert_equal 1, head(store, key).epoch
  ensure
    one&.resume
  end

  def test_a_promoted_replica_without_the_tail_shows_where_it_is_and_takes_the_same_entries_again # row 96
    one = replica
    key = begun(store)
    write(store, key, 0, 3)
    lose_contact(one) { write(store, key, 3, 6, text: "lost") }

    survivor = store(one)
    found = write(survivor, key, 6, 7)
    assert_equal [1, 3, nil], [found.epoch, found.sequence, found.state]
    assert_equal "0-0", found.compacted.to_s
    assert_nil write(survivor, key, 3, 6, text: "lost")
    assert_nil write(survivor, key, 6, 7)
    assert_equal (0..7).map { |sequence| "1-#{sequence}" }, ids(read(survivor, key))
  end

  def test_a_zombie_of_the_old_attempt_is_fenced_on_a_replica_that_has_the_claim
    one = replica
    zombie = store
    key = begun(zombie, owner: "zombie", lease: 0)
    write(zombie, key, 0, 2)
    assert_equal 2, store.claim(key, owner: "heir", lease: LEASE).epoch
    lose_contact(one) { nil }
    survivor = store(one)
    assert_equal [2, 0], write(survivor, key, 2, 3).then { |found| [found.epoch, found.sequence] }
    assert_equal 2, write(survivor, key, 2, 3, state: "completed").epoch
    assert_nil write(survivor, key, 0, 1, epoch: 2)
    assert_equal %w[1-0 1-1 1-2 2-0 2-1], ids(read(survivor, key))
  end

  # The claim was lost with its primary: what the new writer then finds is an attempt before its own.
  def test_a_claim_that_was_lost_shows_as_an_older_attempt_and_nothing_of_the_newer_is_stored
    one = replica
    key = begun(store, lease: 0)
    lose_contact(one) { assert_equal 2, store.claim(key, owner: "heir", lease: LEASE).epoch }
    survivor = store(one)
    found = write(survivor, key, 0, 1, epoch: 2)
    assert_equal [1, 0, true], [found.epoch, found.sequence, found.open?]
    assert_equal %w[1-0], ids(read(survivor, key))
    assert_equal 2, survivor.claim(key, owner: "heir", lease: LEASE).epoch
    assert_nil write(survivor, key, 0, 1, epoch: 2)
  end

  def test_sentinel_leads_to_the_new_primary_and_wakes_come_from_there
    one = replica
    sentinel = Databases::RedisSentinel.new(redis, [one]).tap { |other| @others << other }
    store = Streamer::Stores::Redis.new(sentinel.config(timeout: 0.5))
    told = Thread::Queue.new
    watch = store.watch { |keys| told << keys }
    key = begun(store)
    write(store, key, 0, 1)
    nil until told.pop == [key]

    redis.kill
    eventually("a new primary", 30) { sentinel.primary_port == one.port }
    answer = eventually("an append", 30) do
      [write(store, key, 1, 2)]
    rescue Unavailable
      nil
    end
    assert_equal [nil], answer
    assert_equal %w[1-0 1-1 1-2], ids(read(store, key))
    eventually("the subscription") { one.command("PUBSUB", "NUMSUB", "streamer:wakes").last == 1 }
    told.clear
    write(store, key, 2, 3)
    nil until told.pop == [key]
  ensure
    watch&.close
  end

  private

  # What the block does is not known to the replica, which is then promoted, and the old primary gone.
  def lose_contact(one)
    eventually("the copy of all before") { one.info("replication")["slave_repl_offset"] == redis.info("replication")["master_repl_offset"] }
    one.promote
    yield
    redis.stop
  end
end
