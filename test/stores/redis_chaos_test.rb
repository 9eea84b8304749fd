# frozen_string_literal: true

require "test_helper"
require "digest"
require "support/redis_store_case"
require "support/seed"

# Logs that processes write which are killed, stopped and taken over, on a Redis that stands still, forgets scripts, drops connections and loses
# the last entries, all by a seed. RUNS says how many.
class RedisChaosTest < Minitest::Test
  include RedisStoreCase
  include Seed

  RUNS = Integer(ENV["RUNS"] || 30)

  # One log from its creation to its close, and a reader all along.
  class Story
    include RedisStoreCase

    def initialize(test, store, redis, random)
      @test = test
      @store = store
      @redis = redis
      @random = random
      @key = "log-#{random.seed}"
      @bytes = {} # id => what it was when it was first read
      @cursor = Position::START
      @zombies = []
    end

    def tell
      @store.create(@key)
      @child = write("reset")
      until finished?
        look
        fault if @random.rand < 0.25
        sleep 0.002
      end
      check
    ensure
      finish_child
    end

    private

    # Whether the log is closed; one without a living writer is taken over.
    def finished?
      head = try { head(@store, @key) }
      return head&.closed? if head.nil? || head.closed?

      if @child.nil? || Process.wait(@child, Process::WNOHANG)
        end_lease
        @child = write(@random.rand < 0.5 ? "reset" : "continue")
      end
      false
    end

    def write(mode)
      seed = @random.rand(10**9)
      fork do
        $stderr.reopen(File::NULL) # the forked test's own
        random = Random.new(seed)
        Streamer::Log.store = @store
        writer = Streamer::Log[@key].claim(mode: mode) or exit!(3)
        random.rand(10..60).times do |number|
          writer << ("#{writer.epoch}.#{number}é" * random.rand(1..40))
          sleep(0.002) if random.rand < 0.3
        end
        writer.close
        exit!(0)
      rescue Streamer::LogError
        exit!(4)
      end
    end

    def fault
      case @random.rand(8)
      when 0 then @redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      when 1 then @redis.command("SCRIPT", "FLUSH")
      when 2 then stand_still
      when 3 then lose_tail
      when 4 then @store.wake(["another", @key] * @random.rand(1..3))
      when 5 then try { @store.prune(@key, through: @cursor) }
      when 6 then kill_writer
      when 7 then overtake_writer
      end
    end

    def stand_still
      @redis.pause
      sleep 0.03
    ensure
      @redis.resume
    end

    def kill_writer
      Process.kill(:KILL, @child) if @child
    rescue Errno::ESRCH
      nil
    end

    # The writer goes on after another one has begun.
    def overtake_writer
      zombie = @child or return
      Process.kill(:STOP, zombie)
      end_lease
      @child = write("continue")
      sleep 0.02
      Process.kill(:CONT, zombie)
      @zombies << zombie
    end

    def finish_child
      [@child, *@zombies].compact.uniq.each do |process|
        Process.kill(:KILL, process)
        Process.wait(process)
      rescue Errno::ESRCH, Errno::ECHILD
        nil # it had ended and was waited for
      end
    end

    def end_lease = script('if redis.call("HEXISTS", KEYS[1], "lease") == 1 then redis.call("HSET", KEYS[1], "lease", 1) end')

    # As a replica would have it that did not get the last batches.
    def lose_tail
      script(<<~LUA)
        local meta = redis.call("HMGET", KEYS[1], "epoch", "sequence", "state", "pruned")
        local all = redis.call("XRANGE", KEYS[2], "-", "+")
        local last = all[#all - 2]
        if meta[3] or not last or last[1]:match("^(%d+)") ~= meta[1] or redis.call("EXISTS", KEYS[3]) == 1 then return 0 end
        redis.call("DEL", KEYS[2])
        for index = 1, #all - 2 do redis.call("XADD", KEYS[2], all[index][1], unpack(all[index][2])) end
        redis.call("HSET", KEYS[1], "sequence", last[1]:match("(%d+)$"))
        return 1
      LUA
    end

    def script(source)
      names = Streamer::Stores::Redis::Keys.new("chaos").all(@key)
      @redis.command("EVAL", source, 3, *names.first(3))
    end

    def look
      batches = try { read(@store, @key, @cursor) } or return
      batches.flat_map { |batch| remember(batch, @cursor) }.each do |position|
        @test.assert_operator position, :>, @cursor, "a reader saw an id twice or a smaller one"
        @cursor = position
      end
    end

    # The positions of what is behind a position, each with the bytes that it had before.
    def remember(batch, after)
      frames = Frames.split(batch.after(after))
      batch.entries(after: after).zip(frames).map do |entry, frame|
        before = @bytes[entry.id] ||= frame
        @test.assert_equal before, frame, "the same id, other bytes: #{entry.id}"
        entry.position
      end
    end

    def check
      head = head(@store, @key)
      batches = read(@store, @key)
      positions = batches.flat_map { |batch| remember(batch, Position::START) }
      @test.assert_equal head.position, positions.last
      positions.each_cons(2) do |one, two|
        @test.assert_includes [one.next, Position.new(two.epoch, 0)], two, "a hole behind #{one}"
      end
      closes = batches.flat_map(&:entries).select { |entry| entry.kind == :close }
      @test.assert_equal [head.position], closes.map(&:position)
      check_text(closes.first.json)
    end

    def check_text(close)
      text = @store.text(@key).map(&:text).join
      @test.assert_equal [close["length"], close["sha256"]], [text.bytesize, Digest::SHA256.hexdigest(text)]
    end

    def try
      yield
    rescue Unavailable
      nil
    end
  end

  def test_a_log_survives_what_happens_to_its_writers_and_its_redis_byte_by_byte
    redis = Databases::Redis.new
    config = RedisClient.config(url: redis.url, timeout: 0.5)
    store = Streamer::Stores::Redis.new(config, prefix: "chaos")
    rounds(RUNS) { |random| Story.new(self, store, redis, random).tell }
  ensure
    redis&.remove
  end
end
