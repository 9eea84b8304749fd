# frozen_string_literal: true

begin
  require "redis_client"
rescue LoadError => error
  raise unless error.path == "redis_client"

  raise LoadError, "Streamer::Stores::Redis needs the gem redis-client: add `gem \"redis-client\"` to the Gemfile, and for a Redis Cluster " \
                   "`gem \"redis-cluster-client\"` as well"
end

require_relative "redis/failure"
require_relative "redis/keys"
require_relative "redis/listener"
require_relative "redis/reply"
require_relative "redis/script"
require_relative "redis/server"

module Streamer
  module Stores
    # Logs on Redis 6.2 or newer, or Valkey: one server, one behind Sentinel, or a cluster.
    #
    #   Streamer::Stores::Redis.new(url: "redis://localhost:6379/1")
    #   Streamer::Stores::Redis.new(RedisClient.sentinel(name: "main", sentinels: [{ host: "10.0.0.1" }, { host: "10.0.0.2" }]))
    #   Streamer::Stores::Redis.new(RedisClient.cluster(nodes: ["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"]))
    #
    # Every change of a log is one script, which compares and writes. The server must not delete keys on its own: its maxmemory-policy is
    # noeviction. See docs/stores.md.
    class Redis
      # Commands of one round trip.
      SLICE = 1000
      private_constant :SLICE

      # config: of the gem redis-client, as above; without one url:, or REDIS_URL, or localhost.
      # prefix: what the keys begin with. retention: seconds for which entries are kept behind the close; result_retention: the text and the
      # close. replicas: how many have to confirm a claim and a close before they are taken for done, within 200 ms; nil for one where there
      # are any. pool: connections at most.
      def initialize(config = nil, url: nil, prefix: "streamer", retention: 3600, result_retention: 86_400, replicas: nil, pool: 10)
        raise ArgumentError, "a config of redis-client or url:, not both" if config && url

        @keys = Keys.new(prefix)
        @retention = [milliseconds("retention", retention), milliseconds("result_retention", result_retention)]
        @server = Server.for(config, url: url, channel: @keys.channel, replicas: replicas, pool: pool)
        @listener = Listener.new(@server, @keys.channel)
      end

      # What every store has: see Stores.
      # :stopdoc:

      def name = :redis

      # Whether `append` has told the others by itself, so that nobody has to `wake` them.
      def announces? = true

      def create(key) = run(Script::CREATE, [[key]], once: true).first == 1

      def heads(keys)
        keys.uniq.each_slice(SLICE).flat_map do |slice|
          slice.zip(run(Script::HEADS, slice.zip))
        end.filter_map { |key, reply| [key, Reply.head(key, reply)] if reply }.to_h
      end

      def claim(key, owner:, lease:, mode: "reset")
        replies = run(Script::CLAIM, [[key, owner, (lease * 1000).round, mode, *Script.attempts(mode)]]) { |(reply)| reply ? [0] : [] }
        Reply.head(key, replies.first)
      end

      def append(appends)
        appends.each_slice(SLICE).flat_map do |slice|
          calls = slice.map { |append| arguments(append) }
          replies = run(Script::APPEND, calls, wake: slice.map(&:key)) do |results|
            slice.each_index.select { |index| slice[index].state && results[index] == 1 }
          end
          slice.zip(replies).map { |append, reply| reply == 1 ? nil : Reply.head(append.key, reply) || Log::Head.missing(append.key) }
        end
      end

      def renew(epochs, owner:, lease:)
        epochs.each_slice(SLICE).flat_map do |slice|
          calls = slice.map { |key, epoch| [key, epoch, owner, (lease * 1000).round] }
          slice.zip(run(Script::RENEW, calls))
        end.filter_map { |(key, _), reply| [key, Reply.head(key, reply)] if reply }.to_h
      end

      def release(key, epoch:, owner:) = Reply.head(key, run(Script::RELEASE, [[key, epoch, owner]]).first)

      def stop(key, epoch:) = Reply.head(key, run(Script::STOP, [[key, epoch]]).first)

      def read(positions, limit: 500)
        positions.each_slice(SLICE).flat_map do |slice|
          commands = slice.map { |key, after| ["XRANGE", @keys.entries(key), after.next.to_s, "+", "COUNT", limit] }
          found = slice.zip(@server.call(commands)).map { |(key, after), entries| [key, after, Reply.batches(entries)] }
          close_expired(found.select { |_, _, batches| batches.empty? })
          found.filter_map { |key, _, batches| [key, batches] if batches.any? }
        end.to_h
      end

      def text(key) = Reply.pieces(run(Script::TEXT, [[key]]).first)

      def overdue(limit: 100)
        heads(due(:open, 0, limit)).select { |_, head| head.overdue? }.keys.first(limit)
      end

      def expired(age:, limit: 100)
        keys = due(:closed, age, limit)
        kept, gone = keys.zip(@server.call(keys.map { |key| ["XLEN", @keys.entries(key)] })).partition { |_, length| length > 1 }
        @server.call(gone.map { |key, _| ["ZREM", @keys.closed(key), key] })
        kept.map(&:first).first(limit)
      end

      def prune(key, through:) = Reply.head(key, run(Script::PRUNE, [[key, through.epoch, through.sequence]]).first)

      def delete(keys)
        keys.each_slice(SLICE) do |slice|
          @server.call(slice.flat_map do |key|
            [["UNLINK", @keys.meta(key), @keys.entries(key), @keys.text(key)], ["ZREM", @keys.open(key), key], ["ZREM", @keys.closed(key), key]]
          end)
        end
        nil
      end

      def wake(keys)
        keys.each_slice(SLICE) { |slice| @server.publish(slice) }
        nil
      rescue StoreUnavailableError
        nil # whoever waits looks by itself
      end

      def watch(&block) = @listener.watch(block)

      def inspect = "#<#{self.class.name} #{@server.inspect}>"

      private

      def milliseconds(name, seconds)
        return (seconds.to_f * 1000).round if seconds.respond_to?(:to_f) && seconds.to_f >= 0

        raise ArgumentError, "#{name}: is a number of seconds; got #{seconds.inspect}"
      end

      # calls: the arguments of one script, the log's key first.
      def run(script, calls, **options, &block)
        @server.run(script, calls.map { |call| [@keys.all(call.first), call] }, **options, &block)
      end

      def arguments(append)
        arguments = [append.key, append.epoch, append.after, append.last, append.frames]
        arguments.push(append.state.to_s, *@retention) if append.state || append.piece
        arguments.push(append.piece.text, append.piece.events) if append.piece
        arguments
      end

      # Where the entries' time is over, the close is still there.
      def close_expired(found)
        closes = @server.call(found.map { |key, _, _| ["HMGET", @keys.meta(key), "epoch", "sequence", "first", "close", "state", "whole"] })
        found.zip(closes) do |(_, after, batches), fields|
          close = Reply.close(fields)
          batches << close if close && close.last > after
        end
      end

      # The keys in one of the sets of each family, those that have waited longest first within it.
      def due(set, age, limit)
        calls = @keys.families(set).map { |family| [[family], [(age * 1000).round, limit]] }
        @server.run(Script::DUE, calls).flatten.first(limit * 2)
      end
    end
  end
end
