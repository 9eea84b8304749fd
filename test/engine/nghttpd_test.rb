# frozen_string_literal: true

require "test_helper"
require "digest"
require "support/contexts"
require "support/peer"

# nghttpd, the reference server of HTTP/2: it serves files, and sends back what is uploaded.
module NghttpdTests
  def setup
    @peer = Peer.shared(:nghttpd, "2.0")
    @peer.file("events.json", "[#{(0...5000).to_a.join(",")}]")
    @peer.file("large", Random.new(1).bytes(5_000_000))
    @client = @peer.client
    super
  end

  def test_a_file_is_whole_and_in_order
    response = @client.get("/events.json")
    assert_equal (0...5000).to_a, response.json
    assert_equal "2.0", response.timings[:http_version]
    assert_equal Digest::SHA256.hexdigest(Random.new(1).bytes(5_000_000)), Digest::SHA256.hexdigest(@client.get("/large").read)
  end

  def test_an_upload_comes_back_while_it_is_sent
    [0, 1, 65_535, 65_536, 1_000_000].each do |size|
      body = Random.new(size).bytes(size)
      assert_equal Digest::SHA256.hexdigest(body), Digest::SHA256.hexdigest(@client.post("/echo", body: body).read), size
    end
  end

  def test_many_share_a_connection_and_some_are_given_up
    @client.get("/events.json").read
    before = @peer.connections
    results = Array.new(40) do |number|
      beside do
        response = @client.get("/large")
        number.odd? ? response.cancel : response.read.bytesize
      end
    end
    assert_equal [5_000_000], results.filter_map(&:value).uniq
    assert_operator @peer.connections, :<=, before
  end
end

class NghttpdOnThreadsTest < Minitest::Test
  include Contexts::Threads
  include NghttpdTests
end

class NghttpdInASchedulerTest < Minitest::Test
  include Contexts::Scheduled
  include NghttpdTests
end
