# frozen_string_literal: true

require "streamer"
require "streamer/testing/upstream"
require "streamer/testing/assertions"

module Streamer
  # For the tests of applications, whatever they are written with; docs/testing_your_app.md is the guide.
  #
  #   require "streamer/testing"
  #
  #   Upstream      a server on loopback that plays the service, well or badly, from a script or from a recording
  #   Assertions    what an action streamed
  #   inline!       streams that are over when the request is
  #
  # No part of it is loaded by `require "streamer"`.
  module Testing
    # From now on, or for the block, every stream_events and relay_events runs to its end in its request's thread, before the request
    # is answered in full, and with it the block that relay_events was given. Without a server that is so anyway: this is for tests
    # that start Puma in their own process. For the whole process.
    def self.inline!
      before = Controller.inline
      Controller.inline = true
      return unless block_given?

      begin
        yield
      ensure
        Controller.inline = before
      end
    end
  end
end
