# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "support/redis_store_case"

# What is special about the store on Redis; what it has in common with others is in redis_conformance_test.rb.
class RedisStoreTest < Minitest::Test
  include RedisStoreCase

  ROOT = File.expand_path("../..", __dir__)

  def setup
    @options = { **redis.fresh, prefix: redis.prefix }
    @store = Streamer::Stores::Redis.new(**@options)
  end

  # Commands of one call, by name, as the server counts them.
  def commands
    redis.command("CONFIG", "RESETSTAT")
    yield
    redis.command("INFO", "commandstats").scan(/^cmdstat_(\S+?):calls=(\d+)/).to_h { |name, calls| [name, calls.to_i] }
         .except("config|resetstat", "info", "hello", "select", "client|setname")
  end

  def call(*words) = redis.command(*words, **@options.slice(:url))

  def own(suffix, key) = call("KEYS", "*:#{key}:#{suffix}").first

  def test_any_byte_and_every_character_comes_back_as_it_was_given
    key = begun(@store)
    frames = ["event: token\nid: 1-1\ndata: é\u{1F680}", "\xFF\x00\r$5\n\n"].map(&:b).join
    piece = Streamer::Log::Piece.new(through: Position.new(1, 1), text: "\xF0\x9F".b, events: frames)
    assert_nil @store.append([Append.new(key: key, epoch: 1, after: 0, last: 1, frames: frames, piece: piece)]).first
    batch = read(@store, key).last
    assert_equal frames, batch.frames
    assert_equal Encoding::BINARY, batch.frames.encoding
    assert_equal ["\xF0\x9F".b, frames, Encoding::BINARY], @store.text(key).first.then { |one| [one.text, one.events, one.text.encoding] }
  end

  def test_an_attempt_begins_with_the_same_bytes_as_in_memory
    memory = Streamer::Stores::Memory.new
    all = [memory, @store].map do |store|
      key = begun(store, "same")
      write(store, key, 0, 3)
      %w[continue reset].each { |mode| store.claim(key, owner: "me", lease: LEASE, mode: mode) }
      read(store, key).map(&:frames)
    end
    assert_equal all.first, all.last
  end

  def test_an_append_of_many_logs_is_one_script_for_each_and_one_message_in_one_round_trip
    keys = Array.new(20) { begun(@store) }
    @store.append(keys.map { |key| entries(key, 0, 1) })
    seen = commands { assert_equal [nil] * 20, @store.append(keys.map { |key| entries(key, 1, 5) }) }
    assert_equal({ "evalsha" => 20, "publish" => 1 }, seen.slice("evalsha", "publish", "eval", "wait"))
    assert_equal 20, seen["xadd"]
    assert_equal %w[evalsha hmget hset publish xadd], seen.keys.sort
  end

  def test_what_a_writer_adds_is_announced_once
    log = "log-#{rand(10**9)}"
    @store.create(log)
    background = Streamer::Log::Background.of(@store)
    writer = background.claim(log, mode: "reset")
    seen = commands do
      writer.append({ n: 1 })
      writer.close
    end
    assert_equal read(@store, log).size - 1, seen["publish"]
  end

  def test_a_look_at_many_logs_without_news_is_one_command_for_each_and_only_those_named_are_asked
    keys = Array.new(5) { begun(@store) }
    seen = commands { assert_equal keys.first(3).sort, @store.read(keys.first(3).to_h { |key| [key, Position::START] }).keys.sort }
    assert_equal({ "xrange" => 3 }, seen)
  end

  def test_scripts_that_the_server_has_forgotten_are_sent_again
    key = begun(@store)
    redis.command("SCRIPT", "FLUSH")
    assert_nil write(@store, key, 0, 1)
    assert_equal 1, head(@store, key).sequence
  end

  def test_a_zombie_does_not_bring_back_a_deleted_log
    key = begun(@store)
    write(@store, key, 0, 1)
    @store.delete([key])
    assert_predicate write(@store, key, 1, 2), :missing?
    assert_empty call("KEYS", "*#{key}*")
  end

  def test_a_close_is_followed_by_the_end_of_the_entries_and_later_of_all
    store = Streamer::Stores::Redis.new(**@options, retention: 100, result_retention: 500)
    key = begun(store)
    write(store, key, 0, 2)
    %w[log meta].each { |suffix| assert_equal(-1, call("PTTL", own(suffix, key)), "an open log has no end") }
    write(store, key, 2, 4, state: "completed", text: "all")
    assert_in_delta 100_000, call("PTTL", own("log", key)), 5000
    %w[meta text].each { |suffix| assert_in_delta 500_000, call("PTTL", own(suffix, key)), 5000 }
  end

  def test_entries_whose_text_is_in_no_piece_are_kept_as_long_as_the_result
    store = Streamer::Stores::Redis.new(**@options, retention: 100, result_retention: 500)
    key = begun(store)
    write(store, key, 0, 2)
    write(store, key, 2, 3, state: "failed")
    assert_in_delta 500_000, call("PTTL", own("log", key)), 5000
  end

  def test_a_log_of_which_nothing_can_be_pruned_is_not_found_expired_for_ever
    key = begun(@store)
    write(@store, key, 0, 2)
    write(@store, key, 2, 3, state: "failed")
    assert_equal [key], @store.expired(age: 0)
    assert_equal "0-0", @store.prune(key, through: Position.new(1, 3)).pruned.to_s
    assert_empty @store.expired(age: 0)
    assert_equal %w[1-0 1-1 1-2 1-3], ids(read(@store, key))
  end

  def test_a_log_whose_entries_have_expired_still_has_its_text_and_its_close
    store = Streamer::Stores::Redis.new(**@options, retention: 0.05)
    key = begun(store)
    write(store, key, 0, 2)
    write(store, key, 2, 4, state: "completed", text: "all")
    eventually("the entries' end") { own("log", key).nil? }
    assert_equal %w[1-3 1-4], ids(read(store, key))
    assert_equal %w[1-3 1-4], ids(read(store, key, Position.new(1, 3)))
    assert_empty read(store, key, Position.new(1, 4))
    assert_equal ["all"], store.text(key).map(&:text)
    assert_equal ["completed", "1-2", "1-4"], head(store, key).then { |one| [one.state, one.pruned.to_s, one.position.to_s] }
    assert_empty store.expired(age: 0)
  end

  def test_the_list_of_dead_writers_is_mended_by_renewals_and_by_looks
    overdue = begun(@store, lease: 0)
    alive = begun(@store)
    call("DEL", *call("KEYS", "*:open"))
    assert_empty @store.overdue
    @store.renew({ alive => 1 }, owner: "me", lease: 0)
    assert_equal [alive], @store.overdue
    assert_predicate head(@store, overdue), :overdue?
    assert_equal [alive, overdue].sort, @store.overdue.sort
  end

  def test_the_lists_forget_what_is_gone
    key = begun(@store, lease: 0)
    closed = begun(@store)
    write(@store, closed, 0, 1)
    write(@store, closed, 1, 2, state: "completed")
    assert_equal [[key], [closed]], [@store.overdue, @store.expired(age: 0)]
    call("DEL", *call("KEYS", "*:#{key}:*"), *call("KEYS", "*:#{closed}:*"))
    assert_equal [[], []], [@store.overdue, @store.expired(age: 0)]
    assert_empty call("KEYS", "*")
  end

  # What is left when Redis was allowed to delete keys and did.
  %w[meta log text].each do |suffix|
    define_method("test_a_log_that_has_lost_its_#{suffix}_to_eviction_is_missing_and_no_answer_with_a_hole") do
      key = begun(@store, lease: 0)
      write(@store, key, 0, 2, text: "two")
      call("DEL", own(suffix, key))
      assert_nil head(@store, key)
      assert_predicate write(@store, key, 2, 3), :missing?
      assert_predicate write(@store, key, 2, 3, text: "three"), :missing?
      assert_predicate write(@store, key, 2, 3, state: "failed"), :missing?
      assert_nil @store.claim(key, owner: "you", lease: LEASE)
      assert_equal [[], []], [@store.text(key), @store.overdue]
      refute @store.create(key), "its ids must not get other bytes"
    end
  end

  def test_a_closed_log_that_has_lost_entries_which_are_in_no_piece_is_missing
    key = begun(@store)
    write(@store, key, 0, 2)
    write(@store, key, 2, 3, state: "completed")
    assert_predicate head(@store, key), :closed?
    call("DEL", own("log", key))
    assert_nil head(@store, key)
    assert_empty read(@store, key)
  end

  def test_two_stores_with_other_prefixes_do_not_meet
    other = Streamer::Stores::Redis.new(**@options, prefix: "other")
    key = begun(@store)
    assert_empty other.heads([key])
    assert other.create(key)
  end

  def test_a_clock_that_is_wrong_in_the_process_changes_nothing
    script = <<~RUBY
      class << Process
        prepend(Module.new { def clock_gettime(clock, *unit) = super + (unit.empty? || unit == [:float_second] ? 3600 : 0) })
      end
      class << Time
        prepend(Module.new { def now = super + 3600 })
      end
      require "streamer"
      store = Streamer::Stores::Redis.new(url: #{@options[:url].inspect}, prefix: #{@options[:prefix].inspect})
      store.create("late")
      store.claim("late", owner: "it", lease: 30)
      p store.heads(["late"])["late"].created_at.to_i
    RUBY
    output, status = Open3.capture2e(RbConfig.ruby, "-I", File.join(ROOT, "lib"), "-e", script)
    assert_predicate status, :success?, output
    assert_in_delta Time.now.to_i, output.to_i, 60
    assert_predicate head(@store, "late"), :leased?
    assert_nil @store.claim("late", owner: "me", lease: 30)
    assert_empty @store.overdue
  end

  def test_a_user_may_be_allowed_no_more_than_the_documents_say
    rights = Dir[File.join(ROOT, "docs/stores*.md")].map { |path| File.read(path) }.join[/A user for it needs `(.*?)`/, 1].split
    assert_includes rights, "~{streamer:*}*"
    redis.command("ACL", "SETUSER", "logs", "on", ">secret", *rights)
    store = Streamer::Stores::Redis.new(RedisClient.config(**redis.fresh, username: "logs", password: "secret"))
    watch = store.watch { nil }
    key = begun(store)
    write(store, key, 0, 2, text: "two")
    store.prune(key, through: Position.new(1, 2))
    store.renew({ key => 1 }, owner: "me", lease: LEASE)
    store.stop(key, epoch: 1)
    write(store, key, 2, 3, state: "cancelled")
    assert_equal %w[1-3], ids(read(store, key))
    assert_equal [["two"], [], []], [store.text(key).map(&:text), store.overdue, store.expired(age: 9)]
    assert_in_delta 1.0, watch.interval
    store.delete([key])
    assert_raises(RedisClient::PermissionError) do
      RedisClient.config(**redis.fresh, username: "logs", password: "secret").new_client.call("GET", "session")
    end
  ensure
    watch&.close
    redis.command("ACL", "DELUSER", "logs")
  end

  def test_it_says_which_gem_is_missing
    script = <<~RUBY
      module Kernel
        prepend(Module.new do
          def require(name) = name == "redis_client" ? raise(LoadError.new("cannot load such file -- redis_client").tap { |e| e.instance_variable_set(:@path, name) }) : super
        end)
      end
      class LoadError; attr_reader :path; end
      require "streamer"
      Streamer::Stores::Redis
    RUBY
    output, = Open3.capture2e(RbConfig.ruby, "-I", File.join(ROOT, "lib"), "-e", script)
    assert_includes output, 'add `gem "redis-client"` to the Gemfile'
  end

  def test_it_refuses_what_is_no_configuration
    [[RedisClient.config.new_client], [:redis]].each do |arguments|
      assert_match(/RedisClient.config/, assert_raises(ArgumentError) { Streamer::Stores::Redis.new(*arguments) }.message)
    end
    assert_raises(ArgumentError) { Streamer::Stores::Redis.new(RedisClient.config, url: "redis://localhost") }
    assert_raises(ArgumentError) { Streamer::Stores::Redis.new(prefix: "{a}") }
    assert_raises(ArgumentError) { Streamer::Stores::Redis.new(retention: -1) }
  end

  def test_what_is_wrong_in_the_application_stays_what_it_is
    key = begun(@store)
    call("DEL", own("log", key))
    call("SET", own("meta", key).sub(/meta\z/, "log"), "no stream")
    assert_raises(RedisClient::WrongTypeError) { write(@store, key, 0, 1) }
    assert_raises(RedisClient::AuthenticationError) do
      Streamer::Stores::Redis.new(RedisClient.config(**redis.fresh, username: "nobody", password: "wrong")).create("any")
    end
  end
end

if Databases::Valkey.installed?
  class ValkeyStoreTest < RedisStoreTest
    def redis = Databases::Valkey.shared
  end
end
