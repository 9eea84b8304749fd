# frozen_string_literal: true

require "streamer"
require "streamer/testing/upstream"
require "streamer/testing/assertions"
require "streamer/testing/integration"
require "streamer/testing/system"

module Streamer
  # For the tests of applications, whatever they are written with; docs/testing_your_app.md is the guide.
  #
  #   require "streamer/testing"
  #
  #   Upstream      a server on loopback that plays the service, well or badly, from a script or from a recording
  #   Assertions    what an action streamed
  #   Integration   streams that are read as they come, in ActionDispatch::IntegrationTest
  #   System        system tests that leave no stream open
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

    # A stream that goes on after it was ended.
    class OpenStream < StandardError; end

    # Ends all streams of this process, as if their browsers had left, and waits until their blocks and callbacks have run. OpenStream when one
    # goes on for more than `timeout` seconds of real time: a stream_events block that neither writes nor asks `connected?`. nil.
    def self.close_streams(timeout: 5)
      Relay::Registry.stop_all
      Controller::OpenStreams.close
      deadline = Upstream.now + timeout
      while Relay::Registry.size.positive? || Controller::OpenStreams.threads.any?
        open_stream(timeout) if Upstream.now > deadline
        sleep 0.01
      end
    end

    def self.open_stream(seconds)
      places = Controller::OpenStreams.threads.map { |thread| thread.backtrace.to_a.first(8).join("\n") }
      raise OpenStream, "#{places.size + Relay::Registry.size} streams are still open #{seconds} s after they were ended. " \
                        "A block learns of it when it writes, or by events.connected?.\n#{places.join("\n\n")}"
    end
    private_class_method :open_stream
  end
end
