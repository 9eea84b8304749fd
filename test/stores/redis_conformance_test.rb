# frozen_string_literal: true

require "test_helper"
require "redis-cluster-client"
require "streamer/testing/store_conformance"
require "support/databases"
require "support/ports"

# What every store does, on each kind of Redis.
module RedisConformance
  include Streamer::Testing::StoreConformance

  def unreachable_store = Streamer::Stores::Redis.new(url: "redis://127.0.0.1:#{Ports.free}")
end

class RedisConformanceTest < Minitest::Test
  include RedisConformance

  def new_store
    @options = { **redis.fresh, prefix: redis.prefix }
    second_store
  end

  def second_store = Streamer::Stores::Redis.new(**@options)

  def redis = Databases::Redis.shared
end

if Databases::Valkey.installed?
  class ValkeyConformanceTest < RedisConformanceTest
    def redis = Databases::Valkey.shared
  end
end

class RedisClusterConformanceTest < Minitest::Test
  include RedisConformance

  def self.cluster = @cluster ||= Databases::RedisCluster.new

  def new_store
    @prefix = cluster.prefix
    second_store
  end

  def second_store = Streamer::Stores::Redis.new(cluster.config, prefix: @prefix)

  def unreachable_store
    Streamer::Stores::Redis.new(RedisClient.cluster(nodes: ["redis://127.0.0.1:#{Ports.free}"]))
  end

  def cluster = RedisClusterConformanceTest.cluster
end

class RedisSentinelConformanceTest < Minitest::Test
  include RedisConformance

  def self.servers
    @servers ||= Databases::Redis.new.then do |primary|
      replica = Databases::Redis.new(replica_of: primary)
      [primary, replica, Databases::RedisSentinel.new(primary, [replica], down_after: 10_000)]
    end
  end

  def new_store
    @prefix = RedisSentinelConformanceTest.servers.first.prefix
    second_store
  end

  def second_store = Streamer::Stores::Redis.new(RedisSentinelConformanceTest.servers.last.config, prefix: @prefix)

  def unreachable_store
    Streamer::Stores::Redis.new(RedisClient.sentinel(name: "nobody", sentinels: [{ host: "127.0.0.1", port: Ports.free }]))
  end
end
