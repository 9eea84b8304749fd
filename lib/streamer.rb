# frozen_string_literal: true

# upstream -> decode -> extract -> encode -> sink. See docs/architecture.md.
require "json"
require "streamer/version"
require "streamer/errors"
require "streamer/event"
require "streamer/streamer"
require "streamer/decoder"
require "streamer/extractor"
require "streamer/encoder"
require "streamer/pipeline"
require "streamer/headers"
require "streamer/limits"
require "streamer/route"
require "streamer/retries"
require "streamer/circuit"
require "streamer/branches"
require "streamer/request"
require "streamer/attempts"
require "streamer/response"
require "streamer/event_source"
require "streamer/client"
require "streamer/client_socket"
require "streamer/plan"
require "streamer/relay"
require "streamer/result"
require "streamer/streams"
require "streamer/merge"
require "streamer/gather"

module Streamer
  autoload :Providers, "streamer/providers"
  autoload :SSE, "streamer/sse"
  autoload :Controller, "streamer/rails/controller"

  module Sinks
    autoload :Events, "streamer/sinks/events"
    autoload :Socket, "streamer/sinks/socket"
    autoload :Rack, "streamer/sinks/rack"
    autoload :Live, "streamer/sinks/live"
  end

  class << self
    # Seconds that relays have to finish in when the process is told to end.
    attr_writer :drain

    def drain(default = 25) = @drain || default

    # Counters of this process's native thread (open relays, relays, frames, upstreams, queued, requests, reused connections, bytes, pauses,
    # turns) and of Ruby's side (streams). Nothing is stopped for them; each is true by itself.
    def stats = Relay.counters.merge(streams: Streams.size)

    # Tells the application of an error that has nobody to go to.
    def report(error) # :nodoc:
      return ActiveSupport.error_reporter.report(error, handled: false, source: "streamer") if defined?(ActiveSupport.error_reporter)

      warn "streamer: #{error.full_message(highlight: false)}"
    end

    # One-shot requests: get(url, **options) and post(url, **options) return a Response at its head; options as in Request.
    def get(url, **options) = request("GET", url, **options)

    def post(url, **options) = request("POST", url, **options)

    def request(method, url, **options) = Request.new(method, url, **options).call

    # Reads several upstreams at once and yields (name, Event) as events arrive, in the caller's own thread or fiber, until all have ended.
    # Each source's events keep their order. While the block runs nothing is read ahead beyond 256 KiB of each source. nil.
    #
    #   Streamer.merge(a: client.get_request("/a"), b: client.get_request("/b")) { |name, event| ... }
    #   Streamer.merge(requests, limit: 20, on_error: :yield, progress: ->(progress, name, error) { ... }) { |name, event| ... }
    #
    # sources: name => Request, Response, EventSource, or anything whose call returns one of them. Given as a Hash, options may follow;
    # given as keywords, all of them are names. An answer that is neither an event stream nor NDJSON gives one Event with its whole
    # body. A provider's chat or answer gives its pieces of text, Strings.
    # limit: how many sources are open at once; nil for all. on_error: :raise ends everything with the first error of a source; :yield
    # yields (name, Streamer::Error) for that one and goes on. progress: called with { done: 2, total: 3 }, the name and the error or nil,
    # for each source that has ended.
    #
    # A block that breaks or raises cancels all that is open, and so do Timeout, Thread#kill and a stopped task. No thread and no task is
    # started; what a source's call does is done between the others' events, and may wait for upstreams, but should for nothing else.
    def merge(sources = nil, **keywords, &block)
      raise ArgumentError, "merge needs a block" unless block
      return Merge.call(keywords, &block) if sources.nil?

      Merge.call(sources, **keywords, &block)
    end

    # Asks several upstreams at once and returns a Hash of name => content, in the order of the sources: what JSON says, or the body as a
    # String. Yields (name, content) as each is complete. Arguments, errors and cancelling as with merge; an answer without success is
    # a ResponseError. With on_error: :yield an error takes the content's place. A source's call may return the content itself. Of a
    # provider's chat or answer the content is its text.
    #
    #   Streamer.gather(air: client.get_request("/air"), sea: client.get_request("/sea")) { |name, quote| ... }
    def gather(sources = nil, **keywords, &block)
      return Gather.call(keywords, &block) if sources.nil?

      Gather.call(sources, **keywords, &block)
    end
  end
end

require "streamer/rails/railtie" if defined?(Rails::Railtie)
