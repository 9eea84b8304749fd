# frozen_string_literal: true

require "test_helper"
require "active_support"
require "open3"
require "rbconfig"
require "support/redis_store_case"
require "support/tcp_proxy"

# Who is told of news, and when: one subscription a process.
class RedisWatchTest < Minitest::Test
  include RedisStoreCase

  ROOT = File.expand_path("../..", __dir__)

  attr_reader :redis

  def setup
    @redis = Databases::Redis.new
    @store = store
    @told = Thread::Queue.new
    @watches = []
  end

  def teardown
    @watches.each(&:close)
    redis.remove
  end

  def store(port = redis.port) = Streamer::Stores::Redis.new(RedisClient.config(url: "redis://127.0.0.1:#{port}", timeout: 0.5))

  def watch(store = @store, told = @told)
    store.watch { |keys| told << keys }.tap { |one| @watches << one }
  end

  # What was told until the block is true of one, or a failure.
  def told_until(what, told = @told)
    seen = []
    eventually("#{what}; was told #{seen}") do
      next if told.empty?

      seen << told.pop(true)
      yield seen.last
    end
    seen
  end

  def subscribers = redis.command("CLIENT", "LIST", "TYPE", "pubsub").lines.size

  def test_an_append_tells_which_logs_have_news
    watch
    writer = store
    keys = Array.new(3) { begun(writer) }
    writer.append(keys.map { |key| entries(key, 0, 1) })
    told_until("all three") { |seen| seen == keys }
    writer.wake(["another"])
    told_until("a wake") { |seen| seen == ["another"] }
  end

  def test_watch_returns_with_the_subscription_acknowledged_so_that_the_first_entries_are_not_missed # row 69
    proxy = TCPProxy.new(redis.port)
    behind = store(proxy.port)
    key = begun(@store)
    proxy.hold
    watching = Thread.new { watch(behind) }
    eventually("an answer on its way") { proxy.held? }
    assert_nil watching.join(0.05), "watch came back without the acknowledgement"
    proxy.let_go
    watching.join
    assert_equal 1, subscribers
    write(@store, key, 0, 1)
    told_until("the entry") { |seen| seen == [key] }
  ensure
    proxy&.close
  end

  def test_what_is_written_right_behind_watch_is_always_told
    key = begun(@store)
    30.times do |number|
      told = Thread::Queue.new
      one = @store.watch { |keys| told << keys }
      write(@store, key, number, number + 1)
      told_until("entry #{number}", told) { |seen| seen == [key] }
      one.close
    end
  end

  def test_a_broken_subscription_is_made_anew_and_everybody_told_to_look # row 89
    2.times { watch }
    told_until("a first look") { |seen| seen.nil? }
    @told.clear
    redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    2.times { told_until("look at all") { |seen| seen.nil? } }
    key = begun(@store)
    write(@store, key, 0, 1)
    told_until("the entry") { |seen| seen == [key] }
  end

  def test_a_subscription_that_is_lost_without_a_word_is_noticed # row 89
    proxy = TCPProxy.new(redis.port)
    server = Streamer::Stores::Redis::Server.for(RedisClient.config(url: "redis://127.0.0.1:#{proxy.port}"), url: nil, channel: "c", replicas: nil,
                                                                                                              pool: 1)
    subscription = Streamer::Stores::Redis::Subscription.new(server, "c", silence: 0.1) { |keys| @told << keys }
    subscription.wait
    @told.clear
    eventually("silence that is no loss") { redis.info("commandstats").fetch("cmdstat_ping", "")[/calls=(\d+)/, 1].to_i >= 5 }
    assert_predicate @told, :empty?
    proxy.hold
    eventually("the loss") { !subscription.subscribed? }
    proxy.let_go
    told_until("look at all") { |seen| seen.nil? }
    assert_predicate subscription, :subscribed?
  ensure
    subscription&.stop
    proxy&.close
  end

  def test_readers_look_more_often_while_nothing_can_be_told
    one = watch
    assert_in_delta 1.0, one.interval
    redis.stop
    eventually("the loss") { one.interval < 0.5 }
    @told.clear
    redis.start
    told_until("look at all") { |seen| seen.nil? }
    assert_in_delta 1.0, one.interval
  end

  def test_watch_comes_back_while_the_server_is_away_and_tells_when_it_is_there
    redis.stop
    watch
    redis.start
    told_until("look at all") { |seen| seen.nil? }
  end

  def test_a_process_has_one_subscription_which_ends_with_the_last_watch
    first = watch
    second = watch
    assert_equal 1, subscribers
    first.close
    key = begun(@store)
    write(@store, key, 0, 1)
    told_until("the entry") { |seen| seen == [key] }
    second.close
    eventually("the subscription's end") { subscribers.zero? }
    eventually("the thread's end") { Thread.list.none? { |thread| thread.name == "streamer-redis" } }
    watch
    assert_equal 1, subscribers
  end

  def test_a_watch_that_raises_keeps_nobody_from_being_told
    reports = Thread::Queue.new
    subscriber = Object.new
    subscriber.define_singleton_method(:report) { |error, **| reports << error.message }
    ActiveSupport.error_reporter.subscribe(subscriber)
    @watches << @store.watch { raise "oh" }
    watch
    key = begun(@store)
    2.times do |number|
      write(@store, key, number, number + 1)
      told_until("the entry") { |seen| seen == [key] }
    end
    assert_equal "oh", reports.pop
  ensure
    ActiveSupport.error_reporter.unsubscribe(subscriber)
  end

  def test_a_forked_child_watches_for_itself_and_leaves_the_parent_its_own
    watch
    key = begun(@store)
    reader, writer = IO.pipe
    child = fork do
      told = Thread::Queue.new
      @store.watch { |keys| told << keys }
      writer.puts "watching"
      nil until told.pop == [key]
      writer.puts "told"
      exit!(0)
    end
    assert_equal "watching\n", reader.gets
    assert_equal 2, subscribers
    write(@store, key, 0, 1)
    assert_equal "told\n", reader.gets
    Process.wait(child)
    told_until("the entry") { |seen| seen == [key] }
    write(@store, key, 1, 2)
    told_until("the next, with the child gone") { |seen| seen == [key] }
  end

  def test_a_process_that_is_told_to_end_under_load_ends_at_once_and_well # row 87
    key = begun(@store)
    script = <<~RUBY
      require "streamer"
      $stdout.sync = true
      store = Streamer::Stores::Redis.new(url: #{redis.url.inspect})
      told = 0
      4.times { store.watch { |keys| told += 1 if keys } }
      Signal.trap(:TERM) { exit(0) }
      Thread.new { sleep 0.001 until told > 100; puts "busy" }
      sleep
    RUBY
    Open3.popen2e(RbConfig.ruby, "-W:no-deprecated", "-I", File.join(ROOT, "lib"), "-e", script) do |_, output, process|
      stopped = false
      load = Thread.new { @store.wake([key]) until stopped }
      assert_equal "busy\n", output.gets
      asked = now
      Process.kill(:TERM, process.pid)
      status = process.value
      assert_operator now - asked, :<, 4
      assert_equal ["", 0], [output.read, status.exitstatus]
    ensure
      stopped = true
      load&.join
    end
  end
end
