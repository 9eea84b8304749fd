# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "support/contexts"
require "support/proxy"

# HTTP/1.1 as real servers speak it: Puma, Falcon, and nginx in front of Puma.
module ServersTests
  SERVERS = %i[puma falcon nginx].freeze

  def teardown
    super
    @proxy&.stop
  end

  SERVERS.each do |server|
    define_method(:"test_#{server}_an_ordinary_answer_and_the_connection_again") do
      client = client_of(server)
      answers = Array.new(3) { client.get("/plain/state").tap { |response| assert_kind_of Integer, response.json["pid"] } }

      assert_equal [200], answers.map(&:status).uniq
      assert_equal ["1.1"], answers.map { |response| response.timings[:http_version] }.uniq
      assert answers.last.timings[:reused]
    end

    define_method(:"test_#{server}_an_event_stream") do
      events = client_of(server).get("/streams/events?count=4").each_event.to_a

      assert_equal %w[0 1 2 3], events.map(&:id)
      assert_equal [0, 1, 2, 3], events.map { |event| event.json["index"] }
    end

    define_method(:"test_#{server}_a_stream_that_is_left_is_followed_by_another_request") do
      client = client_of(server)
      client.get("/streams/events?count=500&every=0.02").each_event { break }

      assert_equal 200, client.get("/up").status
    end

    define_method(:"test_#{server}_several_streams_at_once") do
      client = client_of(server)
      requests = Array.new(3) { |index| [index, client.request(:get, "/streams/events?count=5&every=0.02")] }.to_h
      counts = Hash.new(0)
      Streamer.merge(requests) { |name, _event| counts[name] += 1 }

      assert_equal({ 0 => 5, 1 => 5, 2 => 5 }, counts)
    end
  end

  private

  def client_of(server)
    Streamer::Client.new("http://127.0.0.1:#{Upstream.without_scheduler { port_of(server) }}")
  end

  def port_of(server)
    return AppServer.shared(server).port unless server == :nginx

    (@proxy = Proxy.nginx(AppServer.shared(:puma).port, lines: "proxy_http_version 1.1;")).port
  end
end

class ServersOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include ServersTests
end

class ServersInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include ServersTests
end

class ServersInAsyncTest < Minitest::Test
  include Contexts::InAsync
  include ServersTests
end
