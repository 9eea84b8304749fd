# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

class HAProxyOverHTTP1Test < Minitest::Test
  PEER = :haproxy
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerWholeLifeTests
end

class HAProxyOverHTTP2Test < Minitest::Test
  PEER = :haproxy
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerWholeLifeTests
end
