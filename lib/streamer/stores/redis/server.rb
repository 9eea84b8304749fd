# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # The connections to one server, or to the one that is primary at the time.
      class Server # :nodoc:
        # Seconds to wait for a connection of the pool, and milliseconds for replicas.
        CHECKOUT = 5
        SAFE = 200

        # As Redis.new takes them.
        def self.for(config, url:, channel:, replicas:, pool:)
          config ||= { url: url || ENV["REDIS_URL"] }.compact
          config = ::RedisClient.config(reconnect_attempts: 1, **config) if config.is_a?(Hash)
          unless config.respond_to?(:new_pool)
            raise ArgumentError, "what RedisClient.config, .sentinel or .cluster give, not a client or a pool; got #{config.class}"
          end

          cluster = defined?(::RedisClient::ClusterConfig) && config.is_a?(::RedisClient::ClusterConfig)
          (cluster ? Cluster : self).new(config, channel, replicas, pool)
        end

        def initialize(config, channel, replicas, size)
          @config = config
          @channel = channel
          @replicas = replicas
          @pool = config.new_pool(size: size, timeout: CHECKOUT)
        end

        # One script with several [keys, arguments] in one round trip; the replies. once: not again when the connection breaks. wake: the logs
        # that have news. The block gets the replies, and gives the indices of what has to be safe: replicas are waited for.
        def run(script, calls, once: false, wake: nil)
          return [] if calls.empty?

          Failure.guard do
            @pool.with do |client|
              replies = evaluate(client, script, calls, once, wake)
              safe = block_given? && @replicas != 0 ? yield(replies) : []
              settle(client, safe.map { |index| calls[index].first.first }) if safe.any?
              replies
            end
          end
        end

        # The replies to the commands.
        def call(commands)
          return [] if commands.empty?

          Failure.guard { @pool.with { |client| checked(client, pipelined(client, commands)) } }
        end

        def publish(keys) = call([publication(keys)])

        # A client to subscribe with.
        def subscriber = @config.new_client

        def inspect = @config.resolved? ? @config.server_url : @config.class.name

        private

        def evaluate(client, script, calls, once, wake)
          commands = calls.map { |keys, arguments| script.command(keys, arguments) }
          replies = announcing(client, commands, wake) { |all| pipelined(client, all, once: once) }
          unknown = replies.each_index.select { |index| replies[index].is_a?(::RedisClient::NoScriptError) }
          if unknown.any?
            again = unknown.map { |index| script.command(*calls[index], known: false) }
            unknown.zip(announcing(client, again, wake) { |all| pipelined(client, all, once: once) }) { |index, reply| replies[index] = reply }
          end
          checked(client, replies)
        end

        # Publishes behind the commands, in the same round trip.
        def announcing(_client, commands, wake)
          return yield(commands) unless wake

          yield([*commands, publication(wake)]).first(commands.size)
        end

        def publication(keys) = ["PUBLISH", @channel, Wake.dump(keys)]

        def pipelined(client, commands, once: false)
          client.pipelined(exception: false) do |pipeline|
            commands.each { |command| once ? pipeline.call_once_v(command) : pipeline.call_v(command) }
          end
        end

        # One of them may have failed alone. A connection that leads to a server which is no primary any more is not used again.
        def checked(client, replies)
          failed = replies.find { |reply| reply.is_a?(::RedisClient::Error) } or return replies
          client.close if failed.is_a?(::RedisClient::ConnectionError)
          raise failed
        end

        # Waits, within bounds, until replicas have what this connection wrote. It is written whether or not they say so.
        def settle(client, _keys)
          _, _, replicas = client.call("ROLE")
          wait(client, replicas.size) if replicas.is_a?(Array)
        rescue ::RedisClient::Error
          nil
        end

        def wait(client, present)
          wanted = [@replicas || 1, present].min
          client.blocking_call(SAFE / 1000.0, "WAIT", wanted, SAFE) if wanted.positive?
        end
      end
    end
  end
end

require_relative "cluster"
require_relative "wake"
