# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

class NginxOverHTTP1Test < Minitest::Test
  PEER = :nginx
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerWholeLifeTests
end

class NginxOverHTTP2Test < Minitest::Test
  PEER = :nginx
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerWholeLifeTests
end

class NginxOverHTTP1InASchedulerTest < Minitest::Test
  PEER = :nginx
  PROTOCOL = "1.1"
  include Contexts::Scheduled
  include PeerTests
end

class NginxOverHTTP2InASchedulerTest < Minitest::Test
  PEER = :nginx
  PROTOCOL = "2.0"
  include Contexts::Scheduled
  include PeerTests
end
