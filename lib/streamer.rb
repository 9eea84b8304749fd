# frozen_string_literal: true

# upstream -> decode -> extract -> encode -> sink. See docs/architecture.md.
require "json"
require "streamer/version"
require "streamer/clock"
require "streamer/errors"
require "streamer/event"
require "streamer/streamer"
require "streamer/decoder"
require "streamer/extractor"
require "streamer/encoder"
require "streamer/pipeline"
require "streamer/headers"
require "streamer/instrumentation"
require "streamer/retry_policy"
require "streamer/circuit_breaker"
require "streamer/upstream/limits"
require "streamer/upstream/connection_options"
require "streamer/upstream/fetch"
require "streamer/upstream/merge"
require "streamer/upstream/gather"
require "streamer/request"
require "streamer/response"
require "streamer/event_source"
require "streamer/client"
require "streamer/browser_socket"
require "streamer/relay"

# Streams from slow upstreams (LLM APIs, other services) to browsers: requests that do not block, events decoded, extracted and encoded in C,
# and sinks for Rails on Puma and Falcon. Client is where to begin outside of Rails, Controller within.
module Streamer
  autoload :Providers, "streamer/providers"
  autoload :SSE, "streamer/sse"
  autoload :Controller, "streamer/controller"
  autoload :Log, "streamer/log"
  autoload :Generation, "streamer/generation"
  autoload :Job, "streamer/job"
  autoload :Stores, "streamer/stores"
  autoload :Configuration, "streamer/configuration"

  # Where events go. Events is what the block of stream_events gets; the others are for servers.
  module Sinks
    autoload :Events, "streamer/sinks/events"
    autoload :Heartbeat, "streamer/sinks/heartbeat"
    autoload :Socket, "streamer/sinks/socket"
    autoload :Rack, "streamer/sinks/rack"
    autoload :Live, "streamer/sinks/live"
  end

  class << self
    # Seconds that relay_events streams have to finish in when the process is told to end; nil, the default, is 25 seconds, on Falcon 0.8.
    attr_accessor :drain_timeout

    # Ends the relay_events streams with this key in this process: their browsers get no further token but a terminal event that says so,
    # the upstreams are cancelled, and the results have the status :cancelled and the reason :stopped. From any thread, any number of times.
    # False when there is none.
    def stop(key) = Relay::Registry.stop(key)

    # The limits in force, a Hash.
    def limits = Upstream::Limits.current

    # Streamer.limits = { per_origin: 20, total: 200 }: what is not named has its default. Applies to requests that are sent from then on, in
    # every thread. Each event loop counts its own requests: the one for all plain threads, and one for each thread that runs a fiber
    # scheduler. Raises ArgumentError.
    #
    # per_origin, total: requests under way at once, to one origin (scheme, host and port) and altogether; nil, the default, for no limit.
    # Further requests wait first come, first served, at most for their queue timeout. Requests are counted, not connections: over HTTP/2
    # many share one. A request counts from its sending until its response has ended or was cancelled, so a block that reads one response
    # and sends another request to the same origin needs two.
    # idle_age (55), age (900): seconds after which a connection is not used again, from its last use and from its making; nil disables the
    # check.
    def limits=(limits)
      Upstream::Limits.current = limits
    end

    # Counters of this process's native thread (open relays, relays, frames, followers of logs, followers cut because they were too slow,
    # bytes that followers share, upstreams, queued, requests, reused connections, bytes, pauses, loop iterations) and of Ruby's side
    # (streams). Nothing is stopped for them; each is true by itself.
    def stats = Relay.counters.merge(streams: Relay::Registry.size)

    # Tells the application of an error that has nobody to go to.
    def report(error) # :nodoc:
      return ActiveSupport.error_reporter.report(error, handled: false, source: "streamer") if defined?(ActiveSupport.error_reporter)

      warn "streamer: #{error.full_message(highlight: false)}"
    end

    # What the block gives; nil when it went wrong, which is reported: for a caller that others rely on.
    def guard # :nodoc:
      yield
    rescue StandardError => error
      report(error)
      nil
    end

    # A Request that is not sent yet; arguments as in Request.
    def request(method, url, **options) = Request.new(method, url, **options)

    # Sends a GET request and returns the Response at its head; options as in Request. Raises Streamer::Error.
    def get(url, **options) = request(:get, url, **options).call

    # Sends a POST request and returns the Response at its head; options as in Request. Raises Streamer::Error.
    def post(url, **options) = request(:post, url, **options).call

    # Reads several upstreams at once and yields (name, Event) as events arrive, in the caller's own thread or fiber, until all have ended.
    # Each source's events keep their order. While the block runs nothing is read ahead beyond 256 KiB of each source. nil.
    #
    #   Streamer.merge(a: client.request(:get, "/a"), b: client.request(:get, "/b")) { |name, event| ... }
    #   Streamer.merge(requests, limit: 20, on_error: :yield, progress: ->(progress, name, error) { ... }) { |name, event| ... }
    #
    # sources: name => Request, Response, EventSource, or anything whose call returns one of them. Given as a Hash, options may follow;
    # given as keywords, all of them are names. A response that is neither an event stream nor NDJSON gives one Event with its whole
    # body. A provider's chat or completion gives its pieces of text, Strings.
    # limit: how many sources are open at once; nil for all. on_error: :raise ends everything with the first error of a source; :yield
    # yields (name, Streamer::Error) for that one and goes on. progress: called with { done: 2, total: 3 }, the name and the error or nil,
    # for each source that has ended.
    #
    # A block that breaks or raises cancels all that is open, and so do Timeout, Thread#kill and a stopped task. No thread and no task is
    # started; what a source's call does is done between the others' events, and may wait for upstreams, but should for nothing else.
    def merge(sources = nil, **keywords, &block)
      raise ArgumentError, "merge needs a block" unless block
      return Upstream::Merge.call(keywords, &block) if sources.nil?

      Upstream::Merge.call(sources, **keywords, &block)
    end

    # Asks several upstreams at once and returns a Hash of name => content, in the order of the sources: what JSON says, or the body as a
    # String. Yields (name, content) as each is complete. Arguments, errors and cancelling as with merge; a non-2xx response is
    # a ResponseError. With on_error: :yield an error takes the content's place. A source's call may return the content itself. Of a
    # provider's chat or completion the content is its text.
    #
    #   Streamer.gather(air: client.request(:get, "/air"), sea: client.request(:get, "/sea")) { |name, quote| ... }
    def gather(sources = nil, **keywords, &block)
      return Upstream::Gather.call(keywords, &block) if sources.nil?

      Upstream::Gather.call(sources, **keywords, &block)
    end
  end
end

require "streamer/engine" if defined?(Rails::Railtie)
