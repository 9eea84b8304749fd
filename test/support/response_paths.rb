# frozen_string_literal: true

require "socket"
require_relative "scheduler"

# A response through every path that it can take: the native thread's relay, frames in a fiber scheduler and in a thread, events in a thread.
# For tests in which they have to agree.
module ResponsePaths
  private

  # Of each path, [events' data, the error's class or nil]. The block makes a Request.
  def through_every_path(&request)
    [relayed(&request), MinimalScheduler.run { framed(&request) }, framed(&request), events_of(&request)]
  end

  def events_of
    events = []
    error = error_of { yield.call.each_event { |event| events << event.data } }
    [events, error]
  end

  def framed
    frames = +""
    error = error_of { yield.call.each_frames(Streamer::Pipeline.new(frame: :raw)) { |bytes| frames << bytes } }
    [decoded(frames), error]
  end

  def relayed
    browser, ours = UNIXSocket.pair
    socket = Streamer::BrowserSocket.new(ours, chunked: false, heartbeat: nil)
    ours.close
    request = yield
    error = error_of do
      Streamer::Relay.new(socket, request.prepare, Streamer::Relay::Options.new(frame: :raw)).start.wait.verify(request)
    end
    socket.close
    [decoded(browser.read), error]
  ensure
    browser&.close
  end

  def decoded(frames) = Streamer::Decoder.new.feed(frames).map(&:data)

  def error_of
    yield
    nil
  rescue Streamer::Error => error
    error.class
  end
end
