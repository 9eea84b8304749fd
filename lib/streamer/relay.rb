# frozen_string_literal: true

require_relative "relay/options"
require_relative "relay/result"
require_relative "relay/handle"
require_relative "relay/inline"
require_relative "relay/registry"
require_relative "relay/into_log"

module Streamer
  # relay: an upstream's response through a pipeline to a browser, in the native thread; no Ruby runs while it goes on.
  class Relay
    # browser: a BrowserSocket; or nil, and the frames, which are entries of a log then, wait to be taken (take_entries).
    # transfer: started, and not of a fiber scheduler. options: an Options.
    # notify: nil, or which of [first event, text] Dispatcher is notified of. terminal: frames that follow a complete response, after which the
    # browser's socket is closed; nil leaves that to the caller.
    def initialize(browser, transfer, options, notify: nil, outlives_browser: false, terminal: nil) # :nodoc:
      @transfer = transfer
      @outlives_browser = outlives_browser
      @options = options
      pipeline = options.pipeline
      @kept_names = pipeline.kept_names
      setup(browser, transfer, pipeline, notify, options.flush, outlives_browser, terminal)
    end

    # start, wait (until it has ended; an exception that interrupts it cancels the upstream), stop (from any thread).
    #
    # id: Integer, unique in the process. take_text: what came since the last call.
    #
    # Without a browser: take_entries (see there), waiting (bytes), abandon (nobody takes any more), remind (Carrier looks at it),
    # tell_dispatcher.
    #
    # Once it has ended: ended?, completed?, browser (:there, :gone, :slow), body (of a non-2xx response), text, text_cut?
    # (whether that is not all), measures.

    # The last value of each kept path that had one.
    def kept
      Pipeline.parse_kept(@kept_names) { |index| kept_value(index) }
    end

    # As Pipeline#kept_truncated.
    def kept_truncated
      @kept_names.each_with_index.filter_map { |name, index| name if kept_too_large?(index) }
    end

    # For Upstream::Exchange#judge: the response's status, or the error in its place; nil when nobody waited for either any more.
    def head # :nodoc:
      @transfer.wait_head
    rescue CancelledError, BrowserDisconnectedError
      nil
    rescue Error => error
      error
    end

    # For Upstream::Exchange#next, once it has ended: how it failed, if another request may follow; nil when it was complete, frames were
    # relayed, it was cancelled, or the browser has left.
    def outcome(request) # :nodoc:
      return if completed? || left? || measures[:frames].positive?

      verify(request)
      nil
    rescue CancelledError
      nil
    rescue Error => error
      error
    end

    # For Upstream::Exchange#next too.
    def attempt = { answered: @transfer.answered?, elapsed: measures[:duration] } # :nodoc:

    # Raises how it failed; self when the response was complete.
    def verify(request)
      return self if completed?

      raise browser == :slow ? BrowserDisconnectedError.slow : BrowserDisconnectedError.new("the browser has closed the stream") if left?

      status = @transfer.wait_head
      fields = headers
      refusal = Response.refusal(status, fields, format: @options.format, values: @options.values?) { Response.error_text(body, fields) }
      raise refusal if refusal

      raise_failure
      self
    rescue Error => error
      error = Response.error_of(error, status, fields) if fields
      raise error.concerning(request.to_s, delivered: measures[:frames], request_id: fields && Response.request_id(fields),
                                           text: (text if @options.collects?)).timed(@transfer)
    end

    # What the upstream's side took, as Response#timings.
    def upstream_timings = @transfer.timings

    # Whether the browser's leaving ended it, or it has left since.
    def left? = !@outlives_browser && browser != :there # :nodoc:

    private

    def headers = Headers.parse(@transfer.head)
  end
end
