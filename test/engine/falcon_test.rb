# frozen_string_literal: true

require "test_helper"
require "support/peer_lifecycle_tests"

# Falcon keeps idle connections for ever; and told to end, it ends streams as if they were complete.
class FalconOverHTTP1Test < Minitest::Test
  PEER = :falcon
  PROTOCOL = "1.1"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests

  private

  def restart = @own.restart(:KILL)
end

class FalconOverHTTP2Test < Minitest::Test
  PEER = :falcon
  PROTOCOL = "2.0"
  include Contexts::Threads
  include PeerTests
  include PeerRestartTests

  private

  def restart = @own.restart(:KILL)
end
