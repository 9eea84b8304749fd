# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

# No reloads: Caddy 2.6 ends with them what it is passing on, by 502 or as if it were complete.
class CaddyOverHTTP1Test < Minitest::Test
  PEER = :caddy
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
end

class CaddyOverHTTP2Test < Minitest::Test
  PEER = :caddy
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests
  include PeerKeepAliveTests
end
