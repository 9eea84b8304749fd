# frozen_string_literal: true

module Streamer
  # The browser's socket in the native thread's care: written to at once and without giving up the GVL, kept alive with
  # comments, watched for the browser's leaving. What the sinks use where a server hands its socket over.
  class BrowserSocket
    # io: a TCP or Unix socket; its descriptor is duplicated, so close it as well. chunked: whether to frame each write as a
    # chunk. shared: whether the server goes on with the socket afterwards, and writes the last chunk itself; of a stream that was cut the
    # connection is shut down. heartbeat: seconds of silence before a comment, nil or 0 for none. heartbeat_event: whether it is an event
    # `heartbeat` in place of a comment. write_timeout: seconds in which a browser may take nothing of what waits for it before it counts
    # as gone.
    def initialize(io, chunked: true, shared: false, heartbeat: 15, heartbeat_event: false, write_timeout: 30)
      setup(io.fileno, chunked, shared, milliseconds(heartbeat), heartbeat_event, milliseconds(write_timeout))
    end

    # Sends what waits and the last chunk, then closes. Waits for a slow browser at most the write timeout.
    def close = close_browser(true)

    # The same without the last chunk, so that the browser can tell that the stream was cut.
    def abort = close_browser(false)

    # As close, without waiting.
    def finish = finish_browser(true)

    private

    def milliseconds(seconds) = (seconds.to_f * 1000).ceil
  end
end
