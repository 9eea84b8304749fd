# frozen_string_literal: true

require_relative "redis"

module Databases
  # One sentinel, which alone is its quorum. It promotes a replica soon after the primary has stopped answering.
  class RedisSentinel < Redis
    attr_reader :name

    # down_after: milliseconds without an answer.
    def initialize(primary, replicas = [], name: "streamer", down_after: 200)
      @name = name
      @watched = primary
      @replicas = replicas
      @down_after = down_after
      super()
    end

    # As RedisClient.sentinel and Action Cable's adapter take them.
    def sentinels = [{ host: host, port: port }]

    # A configuration of whoever is the primary.
    def config(**options) = RedisClient.sentinel(name: name, sentinels: sentinels, **options)

    # The port of the primary, as it knows it.
    def primary_port = command("SENTINEL", "get-master-addr-by-name", name).last.to_i

    def url = "redis://#{host}:#{port}"

    undef_method :fresh, :prefix, :follow, :promote

    private

    # It writes there what it learns.
    def prepare
      File.write(path("sentinel.conf"), <<~CONF)
        bind #{host}
        port #{port}
        dir #{directory}
        sentinel monitor #{name} #{@watched.host} #{@watched.port} 1
        sentinel down-after-milliseconds #{name} #{@down_after}
        sentinel failover-timeout #{name} 2000
        sentinel parallel-syncs #{name} 1
      CONF
    end

    def command_line = [program, path("sentinel.conf"), "--sentinel"]

    def ready?
      super && command("SENTINEL", "replicas", name).size >= @replicas.size
    end
  end
end
