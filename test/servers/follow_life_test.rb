# frozen_string_literal: true

require "test_helper"
require "support/follow_case"
require "support/http2_client"
require "support/log_tables"
require "support/proxy"

# Readers and the ends of processes: what they are told, and how they go on in another one.
class FollowLifeTest < Minitest::Test
  include FollowCase

  def setup
    super
    @servers = []
    @directory = Dir.mktmpdir("streamer-logs")
  end

  def teardown
    super
    @servers.each(&:stop)
    FileUtils.remove_entry(@directory)
  end

  %i[puma puma_cluster falcon].each do |kind|
    define_method(:"test_row_37_#{kind}_that_is_told_to_end_sends_readers_away_with_times_of_their_own_and_ends") do
      server = start_on_one_database(1, kind, **(kind == :falcon ? { graceful: 5 } : { config: "plugin :streamer" })).first
      key = written_on(server)
      clients = Array.new(8) { follow(key, on: server, after: "1-3") }
      clients.each(&:next)
      server.signal(kind == :falcon ? :INT : :TERM)
      frames = clients.map { |client| client.events.last }

      assert server.wait_end(15), server.log
      assert_equal [["closing", { "reason" => "shutdown" }]], frames.map { |frame| [frame.type, frame.json] }.uniq
      assert(frames.all? { |frame| frame.retry.to_i.between?(1000, 6000) })
      assert_operator frames.map(&:retry).uniq.size, :>, 4
      assert(clients.all?(&:clean?))
    end
  end

  def test_row_37_without_the_plugin_they_are_told_when_puma_has_ended
    server = start(:puma)
    key = written_on(server)
    client = follow(key, on: server, after: "1-3")
    client.next
    server.signal(:TERM)

    assert_equal "closing", client.events.last.type
    assert server.wait_end(15), server.log
  end

  def test_row_37_puma_with_tls_tells_its_readers
    tls = start(:puma_tls, config: "plugin :streamer")
    key = written_on(tls)
    client = follow(key, on: tls, after: "1-3")
    client.next
    tls.signal(:TERM)

    assert_equal "closing", client.events.last.type
    assert tls.wait_end(15), tls.log
  end

  def test_row_38_what_is_written_while_a_process_is_replaced_reaches_its_readers_in_the_next_one
    first, second = start_on_one_database(2)
    key = ask("create", on: first)[:key]
    ask("write", on: second, key: key, tokens: 5)
    client = follow(key, on: first)
    reader = LogReader.new
    pump(client, reader) { reader.text == tokens(5) }
    first.signal(:TERM)
    pump(client, reader)
    ask("append", on: second, key: key, text: "between ")
    resumed = follow(key, on: second, after: reader.position.to_s)
    ask("append", on: second, key: key, text: "after", close: "completed")
    pump(resumed, reader)

    assert_equal ["#{tokens(5)}between after", "completed", 0], [reader.text, reader.state, reader.gaps]
    assert first.wait_end(15)
  end

  def test_readers_of_every_process_get_what_one_of_them_writes
    servers = start_on_one_database(2)
    key = ask("create", on: servers.first)[:key]
    clients = Array.new(10) { |index| follow(key, on: servers[index % 2]) }
    clients.each(&:next)
    ask("write", on: servers.first, key: key, tokens: 20, close: "completed")

    assert_equal [[tokens(20), "completed"]], clients.map { |client| reader(client).then { |reader| [reader.text, reader.state] } }.uniq
  end

  def test_readers_on_all_workers_of_a_cluster_get_what_a_worker_writes
    server = start_on_one_database(1, :puma_cluster).first
    key = ask("create", on: server)[:key]
    clients = Array.new(10) { follow(key, on: server) }
    clients.each(&:next)
    pids = Array.new(20) { state(of: server)[:pid] }.uniq
    ask("write", on: server, key: key, tokens: 20, close: "completed")

    assert_equal 2, pids.size
    assert_equal [[tokens(20), "completed"]], clients.map { |client| reader(client).then { |reader| [reader.text, reader.state] } }.uniq
  end

  def test_row_81_a_writer_that_was_killed_does_not_hide_behind_heartbeats
    first, second = start_on_one_database(2)
    key = ask("create", on: first)[:key]
    ask("write", on: first, key: key, tokens: 2)
    client = follow(key, on: second, heartbeat: 0.2)
    first.signal(:KILL)
    first.wait_end
    expire_leases
    notice = client.next_event until notice&.type == "state"

    assert_equal({ "phase" => "recovering" }, notice.json)
  end

  def test_falcon_over_http2_follows_and_goes_on
    server = start(:falcon)
    key = written_on(server)
    HTTP2Client.open(server.port) do |client|
      response = client.get("/logs/follow?key=#{key}", { "accept" => "text/event-stream", "last-event-id" => "1-1" })
      reading = Async { response.read }
      sleep 0.05
      Thread.new { ask("append", on: server, key: key, text: "end", close: "completed") }.join
      frames = reading.wait

      assert_equal 200, response.status
      assert_equal "t1 t2 end", frames.scan(/"content":"([^"]*)"/).join
      assert_includes frames, "event: done\nid: 1-5\n"
    end
  end

  def test_falcon_over_http2_follows_several_on_one_stream
    server = start(:falcon)
    keys = Array.new(2) { written_on(server) }
    HTTP2Client.open(server.port) do |client|
      response = client.get("/logs/follow?key=#{keys.join("+")}", { "accept" => "text/event-stream" })
      reading = Async { response.read }
      keys.each { |key| Thread.new { ask("append", on: server, key: key, text: "end", close: "completed") }.join }
      frames = reading.wait

      assert_equal 2, frames.scan("event: done").size
      assert_match(/id: [01]:1-5,1-5\n[^\n]*\n\n\z/, frames)
    end
  end

  private

  def start(kind, **options) = AppServer.new(kind, **options).tap { |server| @servers << server }

  # Servers whose logs are in one SQLite file.
  def start_on_one_database(count, kind = :puma, **options)
    require "active_record"
    path = File.join(@directory, "logs.sqlite3")
    @record = Class.new(ActiveRecord::Base) do
      self.abstract_class = true
      def self.name = "FollowLifeRecord"
    end
    @record.establish_connection(adapter: "sqlite3", database: path, timeout: 5000)
    LogTables.create(@record)
    Array.new(count) { start(kind, variables: { "LOG_DATABASE" => path }, **options) }
  end

  def expire_leases
    @record.with_connection { |connection| connection.execute("UPDATE streamer_logs SET lease_until = 1") }
  end

  def written_on(server)
    ask("create", on: server)[:key].tap { |key| ask("write", on: server, key: key, tokens: 3) }
  end
end
