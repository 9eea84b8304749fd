# frozen_string_literal: true

module Streamer
  module Generation
    class Source
      # A Request whose text is at a path of its events.
      class Request < Source # :nodoc:
        def initialize(request, value)
          super()
          @request = request
          @value = value
        end

        def stream(out, timeouts:, from: nil) # rubocop:disable Lint/UnusedMethodArgument -- it has nothing to be read on from
          call = Sinks::UpstreamCall.new(@request.with(timeouts: bounded(timeouts, @request.timeouts), retries: RetryPolicy.of(nil)))
          out.on_stop { call.cancel }
          call.response.ensure_success!.each_value(@value) { |text| out << text }
        end
      end
    end
  end
end
