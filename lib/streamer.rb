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
require "streamer/request"
require "streamer/response"
require "streamer/client"
require "streamer/client_socket"
require "streamer/plan"
require "streamer/relay"
require "streamer/result"
require "streamer/streams"
require "streamer/merge"

module Streamer
  autoload :SSE, "streamer/sse"
  autoload :Controller, "streamer/rails/controller"

  module Sinks
    autoload :Events, "streamer/sinks/events"
    autoload :Socket, "streamer/sinks/socket"
    autoload :Rack, "streamer/sinks/rack"
    autoload :Live, "streamer/sinks/live"
  end

  @drain = 25

  class << self
    # Seconds that relays have to finish in when the process is told to end.
    attr_accessor :drain

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

    # Reads several upstreams at once and yields (name, Event) as events arrive, in the caller's thread or fiber, until all have
    # ended. sources: name => Request, Response, or anything whose call returns a Response. An answer that is no event
    # stream gives one Event with its whole body.
    #
    #   Streamer.merge(a: client.get_request("/a"), b: client.get_request("/b")) { |name, event| ... }
    #
    # The first error ends it and is raised. Each source's events keep their order. Inside a fiber scheduler each source is
    # a fiber, otherwise a thread.
    def merge(**sources, &block)
      raise ArgumentError, "merge needs a block" unless block

      Merge.call(sources, &block)
    end
  end
end

require "streamer/rails/railtie" if defined?(Rails::Railtie)
