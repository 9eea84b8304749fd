# frozen_string_literal: true

require "test_helper"
require "redis-cluster-client"
require "support/redis_store_case"

# Three nodes, each with a third of the logs.
class RedisClusterStoreTest < Minitest::Test
  include RedisStoreCase

  def self.cluster = @cluster ||= Databases::RedisCluster.new

  def cluster = RedisClusterStoreTest.cluster

  def setup
    @prefix = cluster.prefix
    @store = Streamer::Stores::Redis.new(cluster.config(timeout: 2), prefix: @prefix)
  end

  def keys(count) = Array.new(count) { |number| "log#{number}" }

  def owners(key) = cluster.nodes.select { |node| node.command("KEYS", "{#{@prefix}:*:#{key}:meta").any? }

  def test_logs_are_spread_over_the_nodes_and_one_append_writes_them_all
    all = keys(60).each { |key| begun(@store, key) }
    assert_equal 3, all.flat_map { |key| owners(key) }.uniq.size
    assert_equal [nil] * 60, @store.append(all.map { |key| entries(key, 0, 2) })
    assert_equal [2] * 60, @store.heads(all).values.map(&:sequence)
    assert_equal [%w[1-0 1-1 1-2]] * 60, @store.read(all.to_h { |key| [key, Position::START] }).values_at(*all).map { |batches| ids(batches) }
    failed = @store.append(all.map { |key| entries(key, key == "log7" ? 9 : 2, 10) })
    assert_equal [all.index("log7")], failed.each_index.select { |index| failed[index] }
  end

  def test_dead_writers_and_closed_logs_are_found_on_all_nodes
    all = keys(30)
    all.each { |key| begun(@store, key, lease: 0) }
    assert_equal all.sort, @store.overdue.sort
    assert_equal 7, @store.overdue(limit: 7).size
    @store.append(all.map { |key| entries(key, 0, 1, text: "1") })
    @store.append(all.map { |key| entries(key, 1, 2, state: "completed", text: "2") })
    assert_empty @store.overdue
    assert_equal all.sort, @store.expired(age: 0).sort
    all.each { |key| @store.prune(key, through: Position.new(1, 2)) }
    assert_empty @store.expired(age: 0)
    @store.delete(all)
    assert_empty @store.heads(all)
  end

  def test_wakes_reach_a_watch_whatever_the_nodes
    told = Thread::Queue.new
    watches = Array.new(3) { Streamer::Stores::Redis.new(cluster.config(timeout: 2), prefix: @prefix).watch { |keys| told << keys } }
    all = keys(12).each { |key| begun(@store, key) }
    @store.append(all.map { |key| entries(key, 0, 1) })
    seen = Array.new(3) do
      one = told.pop while one.nil?
      one
    end
    assert_equal [all] * 3, seen
  ensure
    watches&.each(&:close)
  end

  def test_a_slot_that_moves_to_another_node_takes_its_logs_with_it
    begun(@store, "moving")
    write(@store, "moving", 0, 1)
    from = owners("moving").first
    to = (cluster.nodes - [from]).first
    move(from, to)
    assert_equal [to], owners("moving")
    answer = eventually("an append") do
      [write(@store, "moving", 1, 2)]
    rescue Unavailable
      nil
    end
    assert_equal [nil], answer
    assert_equal %w[1-0 1-1 1-2], ids(read(@store, "moving"))
    assert_equal ["moving"], @store.heads(["moving"]).keys
  end

  def test_a_node_that_is_away_is_an_outage_and_its_logs_go_on_once_it_is_back
    all = keys(12).each { |key| begun(@store, key) }
    node = owners("log0").first
    node.pause
    assert_raises(Unavailable) { @store.append(all.map { |key| entries(key, 0, 1) }) }
    node.resume
    answers = eventually("all of them") do
      @store.append(all.map { |key| entries(key, 0, 1) })
    rescue Unavailable
      nil
    end
    assert_empty answers.compact.map(&:sequence) - [1]
    assert_equal [1] * 12, @store.heads(all).values.map(&:sequence)
  end

  def test_claims_are_confirmed_by_replicas_of_the_node_that_has_the_log
    key = "safe"
    @store.create(key)
    node = owners(key).first
    replica = Databases::RedisCluster::Node.new
    replica.command("CLUSTER", "MEET", node.host, node.port, node.bus_port)
    id = node.command("CLUSTER", "MYID")
    eventually("an acquaintance") { replica.command("CLUSTER", "NODES").include?(id) }
    replica.command("CLUSTER", "REPLICATE", id)
    eventually("its copy") { replica.info("replication")["master_link_status"] == "up" }
    eventually("that all know it") { cluster.nodes.all? { |one| one.command("CLUSTER", "SLOTS").any? { |slots| slots.size > 3 } } }
    assert_equal 1, @store.claim(key, owner: "me", lease: LEASE).epoch
    assert_match(/calls=1,/, node.info("commandstats")["cmdstat_wait"])
  ensure
    copy = replica.command("CLUSTER", "MYID")
    replica.remove
    cluster.nodes.each { |one| one.command("CLUSTER", "FORGET", copy) }
  end

  private

  # All keys of the log's slot, as redis-cli does it.
  def move(from, to)
    slot = from.command("CLUSTER", "KEYSLOT", from.command("KEYS", "{#{@prefix}:*:moving:meta").first)
    to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", from.command("CLUSTER", "MYID"))
    from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.command("CLUSTER", "MYID"))
    names = from.command("CLUSTER", "GETKEYSINSLOT", slot, 100)
    from.command("MIGRATE", to.host, to.port, "", 0, 5000, "KEYS", *names)
    [to, from, *cluster.nodes].uniq.each { |node| node.command("CLUSTER", "SETSLOT", slot, "NODE", to.command("CLUSTER", "MYID")) }
  end
end
