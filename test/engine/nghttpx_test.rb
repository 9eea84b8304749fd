# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

class NghttpxOverHTTP1Test < Minitest::Test
  PEER = :nghttpx
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
end

class NghttpxOverHTTP2Test < Minitest::Test
  PEER = :nghttpx
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
end
