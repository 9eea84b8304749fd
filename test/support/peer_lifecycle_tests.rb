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
    stream = beside { client.get("/long").each_event.map { begun << true }.size }
    begun.pop
    over = false
    gets = Array.new(2) { beside { [].tap { |statuses| statuses << client.get("/").tap(&:read).status until over } } }
    posts = Array.new(2) { |number| beside { post_until(client, "p#{number}-") { over } } }
    3.times { @own.reload && sleep(0.1) }
    assert_equal 41, stream.value
    over = true

    assert_equal [200], gets.flat_map(&:value).uniq
    outcomes = posts.map(&:value).reduce(:merge)
    assert_empty outcomes.values - (@own.http2? ? [200] : [200, Streamer::ClosedError])
    outcomes.each { |id, outcome| assert_includes(outcome == 200 ? [1] : [0, 1], requests(id).size, id) }
  end

  private

  # The outcome of each: a status, or the error's class.
  def post_until(client, prefix)
    outcomes = {}
    until yield
      id = "#{prefix}#{outcomes.size}"
      outcomes[id] = begin
        client.post("/?id=#{id}", json: {}).tap(&:read).status
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
