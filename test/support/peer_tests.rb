# frozen_string_literal: true

require "digest"
require_relative "contexts"
require_relative "peer"

# What holds for every https server and both protocols: a class has a PEER, a Symbol, and a PROTOCOL, "1.1" or "2.0".
module PeerTests
  AT_ONCE = 1 # second; who does not see that a request was given up would never see it

  # Of many sizes: with a character of several bytes, larger than a TLS record, larger than an HTTP/2 frame.
  EVENTS = [*Array.new(12) { |number| "#{number} é€😀" }, "x" * 17_000, "y" * 40_000, "", "z"].freeze

  def setup
    @peer = Peer.shared(self.class::PEER, self.class::PROTOCOL)
    @backend = @peer.backend
    @client = @peer.client(timeouts: { idle: 10, first_event: 10 })
    @backend.on("/endless") { |exchange| exchange.openai(tokens: 1_000_000, every: 0.005) }
    @backend.on("/upload") { |exchange| exchange.json(digest_of(exchange.request.body)) }
    super
  end

  # The next is not sent before the one in front of it was received.
  def test_events_arrive_one_by_one_whole_and_in_order
    received = Thread::Queue.new
    @backend.on("/lockstep") do |exchange|
      exchange.head
      EVENTS.each { |data| exchange.chunk("data: #{data}\n\n") && received.pop }
      exchange.finish
    end
    response = @client.get("/lockstep")
    seen = response.each_event.map { |event| event.data.tap { received << true } }

    assert_equal EVENTS, seen
    assert_equal self.class::PROTOCOL, response.timings[:http_version]
  end

  def test_a_body_of_known_length_is_uploaded
    [0, 1, 70_000, 1_500_000].each do |size|
      body = bytes(size)
      assert_equal digest_of(body), @client.post("/upload", body: body).json, size
    end
  end

  def test_a_body_of_unknown_length_is_uploaded_while_it_is_made
    body = bytes(600_000)
    reader, writer = IO.pipe
    beside { body.scan(/.{1,50000}/mn) { |part| writer.write(part) } && writer.close }

    assert_equal digest_of(body), @client.post("/upload", body: reader).json
  ensure
    reader&.close
  end

  def test_a_request_that_is_given_up_ends_at_once_upstream
    3.times do |number|
      id = "#{name}#{number}#{fibers?}"
      response = @client.get("/endless?id=#{id}")
      response.each_event.first(3)
      start = now
      response.cancel
      gone = request(id).wait_gone
      assert gone, "the upstream never saw the client leave"
      assert_operator gone - start, :<, AT_ONCE
    end
    assert_equal 4, @client.get("/").each_event.count
  end

  def test_the_connection_is_used_again
    @client.get("/").read
    responses = Array.new(6) { |number| (number.even? ? @client.get("/") : @client.post("/", json: { a: 1 })).tap(&:read) }
    assert_equal [true], responses.map { |response| response.timings[:reused] }.uniq
    assert_equal [200], responses.map(&:status).uniq
  end

  def test_many_at_once
    counts = Array.new(20) { beside { @client.get("/").each_event.count } }.map(&:value)
    assert_equal [4], counts.uniq
  end

  private

  def bytes(size) = Random.new(size).bytes(size)
  def digest_of(body) = { "bytes" => body.bytesize, "digest" => Digest::SHA256.hexdigest(body) }
  def requests(id) = @backend.requests.select { |request| request.query["id"] == id }
  def request(id) = wait_for { requests(id).last }

  def wait_for
    value = nil
    wait_until { value = yield }
    value
  end
end
