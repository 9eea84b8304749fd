# frozen_string_literal: true

require_relative "peer_tests"

# What a server's own lifecycle does to its clients.
module PeerLifecycle
  def teardown
    @own&.stop
    super
  end

  private

  def own(**options)
    @own = Peer.new(self.class::PEER, self.class::PROTOCOL, **options)
    @backend = @own.backend
    @own.client
  end
end

module PeerRestartTests
  include PeerLifecycle

  def test_a_restart_ends_what_is_under_way_and_harms_nothing_after_it
    client = own
    @backend.on("/endless") { |exchange| exchange.openai(tokens: 1_000_000, every: 0.005) }
    response = client.get("/endless")
    stream = beside { response.each_event { |event| event } }
    client.get("/").read
    restart

    assert_raises(Streamer::ClosedError) { stream.value }
    assert_equal 200, client.post("/?id=after", json: {}).tap(&:read).status
    assert_equal 1, requests("after").size
  end

  private

  def restart = @own.restart
end

module PeerKeepAliveTests
  include PeerLifecycle

  def test_a_connection_that_the_server_closed_for_being_idle_harms_no_request
    client = own(keep_alive: 1)
    client.get("/").read
    2.times do |number|
      wait_until { @own.connections.zero? }
      assert_equal 200, client.post("/?id=#{number}", json: {}).tap(&:read).status
      assert_equal 1, requests(number.to_s).size
    end
  end
end

module PeerReloadTests
  include PeerLifecycle

  # A POST may meet the end of an HTTP/1.1 connection; then it fails. It is never sent again when it may have arrived.
  def test_reloads_fail_no_get_send_no_post_twice_and_leave_streams_alone
    client = own
    @backend.on("/long") { |exchange| exchange.openai(tokens: 40, every: 0.02) }
    begun = Thread::Queue.new
    stream = beside { client_of_streams(client).get("/long").each_event.map { begun << true }.size }
    begun.pop
    gets, posts = while_reloading(client) { assert_equal 41, stream.value }

    assert_empty gets.values - [200] - accidents
    assert_empty posts.values - [200] - (@own.http2? ? accidents : [Streamer::ClosedError])
    posts.each { |id, outcome| assert_includes(outcome == 200 ? [1] : [0, 1], requests(id).size, id) }
  end

  private

  def client_of_streams(client) = client

  # How a request of HTTP/2 may end beyond 200.
  def accidents = []

  # The outcomes of the GETs and of the POSTs until the block has ended.
  def while_reloading(client)
    over = false
    gets = Array.new(2) { |number| beside { outcomes("g#{number}-", -> { over }) { |path| client.get(path) } } }
    posts = Array.new(2) { |number| beside { outcomes("p#{number}-", -> { over }) { |path| client.post(path, json: {}) } } }
    3.times { @own.reload && sleep(0.1) }
    yield
    over = true
    [gets, posts].map { |kind| kind.map(&:value).reduce(:merge) }
  ensure
    over = true
  end

  # What became of each request: a status, or the error's class.
  def outcomes(prefix, over)
    outcomes = {}
    until over.call
      id = "#{prefix}#{outcomes.size}"
      outcomes[id] = begin
        yield("/?id=#{id}").tap(&:read).status
      rescue Streamer::Error => error
        error.class
      end
    end
    outcomes
  end
end

# Of a server that restarts, closes idle connections and reloads.
module PeerWholeLifeTests
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
  include PeerReloadTests
end
