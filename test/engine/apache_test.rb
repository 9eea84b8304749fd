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
end
