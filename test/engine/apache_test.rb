# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

class ApacheOverHTTP1Test < Minitest::Test
  PEER = :apache
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerWholeLifeTests
end

class ApacheOverHTTP2Test < Minitest::Test
  PEER = :apache
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerWholeLifeTests

  private

  # A request that meets its first GOAWAY makes Apache 2.4.71 end the connection and all that is on it, though RFC 9113, section 6.8
  # lets requests arrive there.
  def client_of_streams(_client) = @own.client(resolve: { "localhost:#{@own.port}" => "127.0.0.1" }) # connections of its own
  def accidents = [Streamer::ClosedError]
end
