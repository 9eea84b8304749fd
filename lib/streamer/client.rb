# frozen_string_literal: true

module Streamer
  # Requests to one origin, with headers and limits in common.
  #
  #   client = Streamer::Client.new("https://api.openai.com", headers: { "Authorization" => "Bearer #{key}" })
  #   client.post("/v1/chat/completions", json: { ... }).each_value("choices.0.delta.content") { |text| ... }
  #
  # May be shared by all threads and fibers. It holds no connection itself: those belong to the process, or inside a fiber
  # scheduler to the thread, and are kept alive and reused.
  class Client
    # base: an http or https URL. Its path is put before the paths of requests, and its query before their queries. The rest as in Request.
    def initialize(base, headers: {}, timeouts: {}, redirects: Request::REDIRECTS, retries: nil, circuit: nil, **way)
      @base = Upstream::URL.parse(base)
      @way = way
      @options = { timeouts: timeouts, redirects: redirects, retries: RetryPolicy.of(retries), circuit: circuit,
                   route: Upstream::ConnectionOptions.new(**way) }
      @headers = by_lower_case(headers)
      Request.new("GET", @base, headers: headers, **@options) # says now what would be wrong with every request
    end

    # A Request that is not sent yet: for Streamer.merge and gather, events.relay and relay_events, or to be sent with #call, any number of
    # times.
    #
    # method: :post, "GET", ... path: "/v1/…", with its query. headers:, timeouts: over the client's own, name by name; json:, body:, tls:,
    # redirects: and the rest as in Request, in place of the client's own. Raises ArgumentError for what cannot be sent.
    def request(method, path = "", headers: {}, timeouts: {}, **options)
      own = options.slice(*Upstream::ConnectionOptions::OPTIONS)
      options = { **options.except(*Upstream::ConnectionOptions::OPTIONS), route: route_with(own) } if own.any?
      Request.new(method, @base.join(path), headers: @headers.merge(by_lower_case(headers)),
                                            **@options, timeouts: @options[:timeouts].merge(timeouts), **options)
    end

    # get(path, **options), head, post, put, patch, delete: request(:get, path, **options).call. The Response at its head; waits for it, from
    # any thread or fiber. Raises Streamer::Error.
    %i[get head post put patch delete].each do |name|
      define_method(name) { |path = "", **options| request(name, path, **options).call }
      define_method(:"#{name}_request") { |path = "", **options| request(name, path, **options) }
    end

    # A GET event stream that is connected again when it ends: an EventSource, read at once with a block (|event|).
    # options: last_event_id:, reconnection_time:, max_delay:, max_failures: as in EventSource, the rest as for request. Unless given here, the
    # first_event, event_idle and total timeouts are off: such a stream may be silent for long, and has no end.
    def events(path = "", timeouts: {}, **options, &block)
      own = options.slice(:last_event_id, :reconnection_time, :max_delay, :max_failures)
      timeouts = { first_event: nil, event_idle: nil, total: nil }.merge(timeouts)
      source = EventSource.new(request(:get, path, timeouts: timeouts, **options.except(*own.keys)), **own)
      block ? source.each_event(&block) : source
    end

    def inspect = "#<Streamer::Client #{@base}>"

    private

    def by_lower_case(headers) = headers.transform_keys { |name| name.to_s.downcase }

    def route_with(own)
      Upstream::ConnectionOptions.new(**@way, **own, tls: @way.fetch(:tls, {}).merge(own.fetch(:tls, {})))
    end
  end
end
