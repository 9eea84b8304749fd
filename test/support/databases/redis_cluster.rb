# frozen_string_literal: true

require_relative "redis"

module Databases
  # Three primaries without replicas; each has a third of the slots.
  class RedisCluster
    SLOTS = 16_384
    SIZE = 3

    class Node < Redis
      attr_reader :bus_port

      def initialize(**settings)
        @bus_port = Ports.free
        super(databases: 1, cluster_enabled: "yes", cluster_port: @bus_port, **settings)
      end
    end

    attr_reader :nodes

    # settings: of redis.conf. timeout: milliseconds after which a node that does not answer is failing.
    def initialize(timeout: 2000, **settings)
      @nodes = Array.new(SIZE) { Node.new(cluster_node_timeout: timeout, **settings) }
      join
    end

    def urls = nodes.map(&:url)

    # For redis-cluster-client.
    def config(**options) = RedisClient.cluster(nodes: urls, **options)

    # Of keys and channels that nobody else has.
    def prefix = nodes.first.prefix

    def remove = nodes.each(&:remove)

    private

    def join
      nodes.each_with_index do |node, index|
        node.command("CLUSTER", "ADDSLOTSRANGE", SLOTS * index / SIZE, (SLOTS * (index + 1) / SIZE) - 1)
        node.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        node.command("CLUSTER", "MEET", *nodes.first.then { |first| [first.host, first.port, first.bus_port] }) unless index.zero?
      end
      Server.wait("the cluster is well") { nodes.all? { |node| well?(node) } }
    end

    # It says so of a cluster of one node, too, and of slots before all nodes know of them.
    def well?(node)
      info = node.command("CLUSTER", "INFO").scan(/^(\w+):(.*?)\r?$/).to_h
      info["cluster_state"] == "ok" && info["cluster_known_nodes"].to_i == SIZE && info["cluster_slots_ok"].to_i == SLOTS
    end
  end
end
