# frozen_string_literal: true

require "test_helper"
require "socket"
require_relative "app_server"
require_relative "patience"
require_relative "upstream"

# What tests of relay_events have in common: the server, an upstream that ends with the test, and the way to the action.
module RelayCase
  include Patience

  def setup
    @upstream = Upstream.new { |exchange| exchange.openai(tokens: 3) }
    @clients = []
    super
  end

  def teardown
    super
    @clients.each { |client| client.leave unless client.left? }
    @upstream.stop
  end

  private

  def server = AppServer.shared(self.class::KIND)

  # The answer of the action, an SSEClient. Its notes are under the test's name unless `note` is given.
  def relay(path = "/", on: server, client: {}, upstream: @upstream.url(path), **parameters)
    query = { upstream: upstream, note: name }.merge(parameters)
    on.stream("/relays/show?#{URI.encode_www_form(query)}", **client).tap { |opened| @clients << opened }
  end

  # Lets the upstream answer "/" with one token, and end when the Proc that is returned is called.
  def hold_after_a_token
    let_go = false
    @upstream.on("/") do |exchange|
      exchange.head.chunk(Upstream.token(0))
      exchange.pause(0.01) until let_go
      exchange.chunk("data: [DONE]\n\n").finish
    end
    -> { let_go = true }
  end

  def result(note: name, of: server) = of.notes.wait(note, "result")

  def results(note: name, of: server) = of.notes.of(note).count { |entry| entry["what"] == "result" }

  def state(of: server) = JSON.parse(of.get("/relays/state").body)

  # Tokens for ever, each beginning with its number.
  def endless(every:, size: 8)
    lambda do |exchange|
      exchange.head
      0.step { |number| exchange.chunk(Upstream.token(number, "#{number} ".ljust(size, "."))).pause(every) }
    end
  end
end
