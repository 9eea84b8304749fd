# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

class PumaOverHTTP1Test < Minitest::Test
  PEER = :puma
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
end
