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
    # base: an http or https URL; its path is put before the paths of requests. The rest as in Request.
    def initialize(base, headers: {}, timeouts: {}, redirects: Request::REDIRECTS, retries: nil, circuit: nil, **way)
      @base = base.to_s.chomp("/")
      @way = way
      @options = { timeouts: timeouts, redirects: redirects, retries: Retries.of(retries), circuit: circuit, route: Route.new(**way) }
      @headers = by_lower_case(headers)
      Request.new("GET", @base, headers: headers, **@options) # says now what would be wrong with every request
    end

    %w[get head post put patch delete].each do |name|
      # get(path, **options) -> Response
      define_method(name) { |path = "", **options| request(name, path, **options) }

      # get_request(path, **options) -> Request, not sent yet
      define_method("#{name}_request") { |path = "", **options| build(name, path, **options) }
    end

    # method: "POST", :get, ... path: "/v1/…", with its query. options: headers:, json:, body:, timeouts:, tls:, redirects: and the rest
    # as in Request, over the client's own. Returns the Response at its head; raises Streamer::Error.
    def request(method, path = "", **options) = build(method, path, **options).call

    # A GET event stream that is connected again when it ends: an EventSource, read at once with a block (|event|).
    # options: last_event_id:, reconnection_time:, longest:, failures: as in EventSource, the rest as for request. Unless given here, the
    # first_event, event_idle and total timeouts are off: such a stream may be silent for long, and has no end.
    def events(path = "", timeouts: {}, **options, &block)
      own = options.slice(:last_event_id, :reconnection_time, :longest, :failures)
      timeouts = { first_event: nil, event_idle: nil, total: nil }.merge(timeouts)
      source = EventSource.new(build("get", path, timeouts: timeouts, **options.except(*own.keys)), **own)
      block ? source.each_event(&block) : source
    end

    def inspect = "#<Streamer::Client #{Request.new("GET", @base)}>"

    private

    def build(method, path, headers: {}, timeouts: {}, **options)
      path = path.to_s
      raise ArgumentError, "a path is wanted, not a URL: the client's headers are for its own origin" if path.match?(%r{\A[a-z][a-z0-9+.-]*:|\A//}i)

      path = "/#{path}" unless path.empty? || path.start_with?("/", "?")
      own = options.slice(*Route::OPTIONS)
      options = { **options.except(*Route::OPTIONS), route: route_with(own) } if own.any?
      Request.new(method, "#{@base}#{path}", headers: @headers.merge(by_lower_case(headers)),
                                             **@options, timeouts: @options[:timeouts].merge(timeouts), **options)
    end

    def by_lower_case(headers) = headers.transform_keys { |name| name.to_s.downcase }

    def route_with(own)
      Route.new(**@way, **own, tls: @way.fetch(:tls, {}).merge(own.fetch(:tls, {})))
    end
  end
end
