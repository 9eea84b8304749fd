# frozen_string_literal: true

require "support/proxy"
require "support/relay_case"

# Behind the proxies that stand in front of most Rails applications the events are the same, and as prompt.
class ProxyTest < Minitest::Test
  KIND = :puma
  include RelayCase

  def teardown
    super
    @proxy&.stop
  end

  def test_nginx_as_debian_installs_it_holds_nothing_back
    assert_prompt(nginx)
  end

  def test_nginx_with_http_1_1_to_the_application_holds_nothing_back
    assert_prompt(nginx("proxy_http_version 1.1;"))
  end

  def test_a_stream_that_was_cut_is_cut_behind_nginx_too
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    proxy = nginx("proxy_http_version 1.1; proxy_read_timeout 4s;")
    client = through(proxy, heartbeat: 0).tap(&:next_event)

    assert_empty client.events
    refute_predicate client, :clean?
    assert_equal "disconnected", result["reason"]
  end

  def test_nginx_passes_the_browsers_leaving_on
    @upstream.on("/") { |exchange| exchange.head.chunk(Upstream.token(0)).stall }
    client = through(nginx("proxy_http_version 1.1;")).tap(&:next_event)
    client.leave

    assert @upstream.requests.last.wait_gone, "the upstream was not let go"
    assert_equal "disconnected", result["reason"]
  end

  def test_thruster_holds_nothing_back
    assert_prompt(@proxy = Proxy.thruster(server.port, "HTTP_WRITE_TIMEOUT" => "0"))
  end

  # Its default is 30 seconds, which no test waits for.
  def test_thrusters_write_timeout_cuts_a_stream_and_zero_does_not
    @upstream.on("/") { |exchange| exchange.openai(tokens: 8, every: 0.8) }
    cutting = Proxy.thruster(server.port, "HTTP_WRITE_TIMEOUT" => "4")
    cut = through(cutting)
    whole = through(@proxy = Proxy.thruster(server.port, "HTTP_WRITE_TIMEOUT" => "0"), note: "#{name}2")

    assert_operator cut.events.size, :<, 8
    refute_predicate cut, :clean?
    assert_equal 9, whole.events.size
    assert_predicate whole, :clean?
  ensure
    cutting&.stop
  end

  private

  def nginx(lines = "")
    @proxy = Proxy.nginx(server.port, lines: lines)
  end

  def through(proxy, **parameters)
    query = { upstream: @upstream.url("/"), note: name }.merge(parameters)
    SSEClient.new(proxy.port, "/relays/show?#{URI.encode_www_form(query)}", headers: { "accept-encoding" => "gzip" }) # as browsers say
             .tap { |client| @clients << client }
  end

  # Median delay from the upstream's write to the browser, in order and with its end, also where the proxy compresses.
  def assert_prompt(proxy)
    sent = []
    @upstream.on("/") do |exchange|
      exchange.head
      20.times do |number|
        sent << Upstream.now
        exchange.chunk(Upstream.token(number)).pause(0.05)
      end
      exchange.chunk("data: [DONE]\n\n").finish
    end
    client = through(proxy)
    events = client.events
    delays = events.first(20).zip(sent).map { |event, moment| event.at - moment }.sort

    assert_equal (0...20).map { |number| "t#{number} " } + [nil], events.map { |event| event.json["content"] }
    assert_predicate client, :clean?
    assert_operator delays[10], :<, SSEClient::PROMPT
  end
end
