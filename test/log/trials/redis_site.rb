# frozen_string_literal: true

require "support/databases"
require "support/tcp_proxy"

module Trials
  # A server that keeps every command, and is restarted.
  class RedisSite < Site
    PREFIX = "trials"

    def initialize
      super
      @server = Databases::Redis.new(appendonly: "yes", appendfsync: "always")
    end

    def store(port: nil)
      url = port ? "redis://127.0.0.1:#{port}/0" : @server.url
      Streamer::Stores::Redis.new(url: url, prefix: PREFIX)
    end

    def faults = super + %i[cut lock restart end_connections forget_scripts]

    # A script is done or is not, and tells others itself.
    def points = %i[before after]

    def proxy = TCPProxy.new(@server.port)

    def lock(random, _key, seconds: random.rand(0.3))
      @server.pause
      sleep(seconds)
    ensure
      @server.resume
    end

    def restart(random, _key) = random.rand(4).zero? && (random.rand(2).zero? ? @server.kill.then { @server.start } : @server.restart)

    def end_connections(_random, _key) = @server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def forget_scripts(_random, _key) = @server.command("SCRIPT", "FLUSH")

    # As a replica has it that did not get the last batches.
    def lose_end(random, key)
      names = Streamer::Stores::Redis::Keys.new(PREFIX).all(key).first(3)
      @server.command("EVAL", <<~LUA, 3, *names, random.rand(1..3))
        local meta = redis.call("HMGET", KEYS[1], "epoch", "sequence", "state")
        local all = redis.call("XRANGE", KEYS[2], "-", "+")
        local last = all[#all - ARGV[1]]
        if meta[3] or not last or last[1]:match("^(%d+)") ~= meta[1] or redis.call("EXISTS", KEYS[3]) == 1 then return 0 end
        redis.call("DEL", KEYS[2])
        for index = 1, #all - ARGV[1] do redis.call("XADD", KEYS[2], all[index][1], unpack(all[index][2])) end
        redis.call("HSET", KEYS[1], "sequence", last[1]:match("(%d+)$"))
        return 1
      LUA
    end

    def close = @server.remove
  end
end
