# frozen_string_literal: true

require "uri"

module Streamer
  module Testing
    class Upstream
      # What arrived. Header names in lower case.
      class Request
        # The method, "/path?query", a Hash of name => value, the body in binary, and the number of the connection, counted from 1.
        attr_reader :method, :target, :headers, :body, :connection

        def initialize(method, target, headers, body, connection) # :nodoc:
          @method, @target, @headers, @body, @connection = method, target, headers, body, connection
          @gone = Thread::Queue.new
        end

        # The target without its query.
        def path = target[/\A[^?]*/]

        # The query, a Hash of String => String.
        def query = URI.decode_www_form(target[/\?(.*)/, 1].to_s).to_h
        def gone(moment) = @gone << moment # :nodoc:

        # Whether the client was seen to leave.
        def gone? = !@gone.empty?

        # The monotonic time at which the client was seen to leave; nil when it did not within `timeout` seconds.
        def wait_gone(timeout = 10)
          deadline = Upstream.now + timeout
          sleep 0.002 until gone? || Upstream.now > deadline
          gone? ? @gone.pop.tap { |moment| @gone << moment } : nil
        end
      end
    end
  end
end
