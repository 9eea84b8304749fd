# frozen_string_literal: true

# Relays a chat to event frames in the ways that are compared, a route each; UPSTREAM says where the chat comes from, and
# SSL_CERT_FILE is what it is verified with.
# GET /busy?threads=N sets how many Ruby threads compute meanwhile.
require "rails"
require "action_controller/railtie"
require "async/http/internet"
require "event_stream_parser"
require "json"
require "logger"
require "net/http"
require "streamer"

require_relative "llm_gems"

UPSTREAM = ENV.fetch("UPSTREAM")

# What every way asks and answers.
module Chat
  VALUE = "choices.0.delta.content"
  COMPLETED = { status: "completed" }.freeze

  module_function

  def target(query) = "/v1/chat/completions?n=#{query[:n]}&us=#{query[:us]}"

  def request = { model: "gpt-4o", stream: true, messages: [{ role: "user", content: "Hello" }] }

  def frame(object, event:) = "event: #{event}\ndata: #{JSON.generate(object)}\n\n"

  # Yields the texts of chunks of an event stream.
  def texts_of
    parser = EventStreamParser::Parser.new
    lambda do |chunk|
      parser.feed(chunk) do |_type, data|
        next if data == "[DONE]"

        text = JSON.parse(data).dig("choices", 0, "delta", "content")
        yield text if text
      end
    end
  end
end

# Each yields the texts.
module Ways
  CLIENT = Streamer::Client.new(UPSTREAM, tls: { ca_file: ENV.fetch("SSL_CERT_FILE") })

  module_function

  def streamer_request(query) = CLIENT.request(:post, Chat.target(query), json: Chat.request)

  def streamer(query) = streamer_request(query).call

  def net_http(query, &block)
    uri = URI(UPSTREAM + Chat.target(query))
    request = Net::HTTP::Post.new(uri, "Content-Type" => "application/json")
    request.body = JSON.generate(Chat.request)
    Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https") do |http|
      http.request(request) { |response| response.read_body(&Chat.texts_of(&block)) }
    end
  end

  # One pool of connections for each reactor.
  def async_http(query, &block)
    @internets ||= {}
    internet = @internets[Fiber.scheduler] ||= Async::HTTP::Internet.new(limit: nil)
    response = internet.post(UPSTREAM + Chat.target(query), [["content-type", "application/json"]], [JSON.generate(Chat.request)])
    response.body.each(&Chat.texts_of(&block))
  ensure
    response&.close
  end
end

# A callable body.
class AsyncHTTPBody
  def initialize(query)
    @query = query
  end

  def call(stream)
    Ways.async_http(@query) { |text| stream.write(Chat.frame({ content: text }, event: "token")) }
    stream.write(Chat.frame(Chat::COMPLETED, event: "done"))
  ensure
    stream.close
  end
end

class Relay < Rails::Application
  config.root = __dir__ # the engine's own root is the working directory
  config.load_defaults Rails::VERSION::STRING.to_f
  config.eager_load = true
  config.cache_classes = true # as in production: nothing is looked up on disk for each request
  config.secret_key_base = "only for measuring" * 2
  config.hosts.clear
  config.logger = Logger.new(File::NULL)
  config.log_level = :fatal
  config.active_support.isolation_level = ENV.fetch("ISOLATION").to_sym
  routes.append do
    %w[relay relay_events_action values async_http json open one_token].each { |name| get "rails/#{name}", to: "ways##{name}" }
    %w[net_http streamer_sse ruby_openai ruby_llm].each { |name| get "live/#{name}", to: "live##{name}" }
  end
end

class WaysController < ActionController::Base
  include Streamer::Controller

  def relay_events_action
    relay_events Ways.streamer_request(params), value: Chat::VALUE, event: "token"
  end

  def json = render(json: Chat::COMPLETED)

  def open = render(plain: Streamer.stats[:open])

  # An action that waits for nothing: what is left of a first token's time without an upstream.
  def one_token
    response.headers["Connection"] = "close"
    render plain: Chat.frame({ content: "@0:0 " }, event: "token")
  end

  def relay
    stream_events do |events|
      events.relay Ways.streamer_request(params), value: Chat::VALUE, event: "token"
      events.write(Chat::COMPLETED, event: "done")
    end
  end

  def values
    stream_events do |events|
      Ways.streamer(params).each_value(Chat::VALUE) { |text| events.write({ content: text }, event: "token") }
      events.write(Chat::COMPLETED, event: "done")
    end
  end

  def async_http
    response.headers["Content-Type"] = "text/event-stream"
    response.headers["Cache-Control"] = "no-cache"
    self.response_body = body = AsyncHTTPBody.new(params.permit(:n, :us))
    # Rails before 8.0 wraps a callable body in an enumerable one.
    response.instance_variable_set(:@stream, body) unless response.stream.equal?(body)
  end
end

class LiveController < ActionController::Base
  include ActionController::Live

  def net_http
    answer(SSE) { |sse| Ways.net_http(params) { |text| sse.write({ content: text }, event: "token") } }
  end

  # adapter: :net_http or :streamer
  def ruby_openai
    answer(SSE) { |sse| LLMGems.ruby_openai(UPSTREAM, params) { |text| sse.write({ content: text }, event: "token") } }
  end

  def ruby_llm
    answer(SSE) { |sse| LLMGems.ruby_llm(UPSTREAM, params) { |text| sse.write({ content: text }, event: "token") } }
  end

  def streamer_sse
    answer(Streamer::SSE) do |sse|
      Ways.streamer(params).each_value(Chat::VALUE) { |text| sse.write({ content: text }, event: "token") }
    end
  end

  private

  def answer(sse_class)
    response.headers["Content-Type"] = "text/event-stream"
    response.headers["Cache-Control"] = "no-cache"
    sse = sse_class.new(response.stream)
    yield sse
    sse.write(Chat::COMPLETED, event: "done")
  ensure
    sse&.close
  end
end

Relay.initialize!

HEADERS = { "content-type" => "text/event-stream", "cache-control" => "no-cache" }.freeze

RELAY_BODY = lambda do |query, stream|
  pipeline = Streamer::Pipeline.new(value: Chat::VALUE, event: "token")
  Ways.streamer(query).each_frames(pipeline) { |frames| stream.write(frames) }
  stream.write(Streamer::Encoder.encode(Chat::COMPLETED, event: "done"))
ensure
  stream.close
end

busy = []

run(lambda do |env|
  query = Rack::Utils.parse_query(env["QUERY_STRING"]).transform_keys(&:to_sym)
  case env["PATH_INFO"]
  when "/busy"
    busy.each(&:kill).clear
    Integer(query[:threads]).times { busy << Thread.new { loop { nil } } }
    [200, {}, ["busy: #{busy.size}\n"]]
  when "/bare/relay" then [200, HEADERS.dup, ->(stream) { RELAY_BODY.call(query, stream) }]
  when "/bare/async_http" then [200, HEADERS.dup, AsyncHTTPBody.new(query)]
  else Relay.call(env)
  end
end)
