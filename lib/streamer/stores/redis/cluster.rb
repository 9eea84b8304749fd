# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # The connections to the nodes of a cluster.
      class Cluster < Server # :nodoc:
        # Seconds for which it is remembered which node has which slots.
        MAP_AGE = 10
        private_constant :MAP_AGE

        # Consecutive slots, the node that has them ("host:port"), and how many replicas follow it.
        Shard = Struct.new(:slots, :node, :replicas)
        private_constant :Shard

        def initialize(...)
          super
          @lock = Mutex.new
          @pools = {} # node => its own connections
          @slots = {} # what stands in braces => its slot
        end

        # Wakes are classic messages: any node passes them on to all. Those of shards would need a connection to each.
        def subscriber
          nodes = @config.startup_nodes.keys | shards.map(&:node)
          node_config(nodes.sample).new_client
        end

        def inspect = @config.startup_nodes.keys.join(", ")

        private

        # Not among the commands: each node has its own, and another one's would not be done yet.
        def announcing(client, commands, wake)
          yield(commands).tap { announce(client, wake) if wake }
        end

        def announce(client, wake)
          client.call_v(publication(wake))
        rescue ::RedisClient::Error
          nil # whoever waits looks by itself
        end

        # The nodes' connections are the cluster client's business.
        def checked(_client, replies)
          failed = replies.find { |reply| reply.is_a?(::RedisClient::Error) }
          failed ? raise(failed) : replies
        end

        # WAIT is about the connection that it comes on, and the cluster's client does not say which one it has used: so here it follows a
        # write of its own, which replicas get behind all that was written before.
        def settle(client, keys)
          keys.group_by { |key| shard_of(client, tag(key)) }.each do |shard, (key, *)|
            next unless shard&.replicas&.positive?

            pool(shard.node).with do |direct|
              direct.call_v(["SET", "#{tag(key)}:safe", "1", "PX", "1000"])
              wait(direct, shard.replicas)
            end
          end
        rescue ::RedisClient::Error
          nil
        end

        def tag(key) = key[/\A\{.*?\}/]

        def shard_of(client, tag)
          slot = @slots[tag] ||= client.call_v(["CLUSTER", "KEYSLOT", tag])
          shards.find { |shard| shard.slots.cover?(slot) }
        end

        def pool(node)
          @lock.synchronize { @pools[node] ||= node_config(node).new_pool(size: 2, timeout: CHECKOUT) }
        end

        def node_config(node) = ::RedisClient.config(**@config.client_config_for_node(node))

        def shards
          return @shards if @shards && Clock.now < @shards_until

          @shards_until = Clock.now + MAP_AGE
          @shards = @pool.call_v(["CLUSTER", "SLOTS"]).filter_map do |first, last, (host, port), *replicas|
            Shard.new(first..last, "#{host}:#{port}", replicas.size) unless host.to_s.empty?
          end
        rescue ::RedisClient::Error
          @shards || []
        end
      end
    end
  end
end
