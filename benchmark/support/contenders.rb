# frozen_string_literal: true

require_relative "protocols"
require_relative "servers"

module Bench
  # A way from upstream to browser. server: a kind of Servers. protocols: those that it speaks. gem: what it needs of the bundle.
  # ruby: whether a busy Ruby thread can be in its way.
  Contender = Struct.new(:name, :server, :path, :protocols, :gem, :ruby, keyword_init: true) do
    def initialize(name, server, path, protocols: PROTOCOLS, gem: nil, ruby: true)
      super(name: name, server: server, path: path, protocols: protocols, gem: gem, ruby: ruby)
    end

    def over(*wanted) = (wanted & protocols).map { |protocol| Entry.new(self, protocol) }

    # The first of the protocols that it speaks.
    def best(*wanted) = over(*wanted).first(1)
  end

  # A contender that asks over a protocol: what is measured, and a table's row.
  Entry = Struct.new(:contender, :protocol) do
    def available?
      Servers.available?(contender.server, protocol) && (contender.gem.nil? || Gem.loaded_specs.key?(contender.gem))
    end

    def in(servers) = servers.find(contender.server, protocol)

    def path = contender.path

    # In a line; the table's rows have the whole name.
    def to_s = "#{contender.name[/\A[^:]+(::[^:]+)*/]} (#{protocol.title})"
  end

  # All there are.
  module Contenders
    # Net::HTTP and nginx speak no HTTP/2 to an upstream.
    ONE_ONE = [H1, PLAIN].freeze

    RELAY = Contender.new("streamer, relay_events: Rails on Puma, 5 threads", :puma_of_five, "/rails/relay_events_action")
    EVENTS = Contender.new("streamer, events.relay: Rails on Puma", :puma, "/rails/relay")
    VALUES = Contender.new("streamer, a Ruby block per value: Rails on Puma", :puma, "/rails/values")
    SSE = Contender.new("Streamer::SSE and a block per value: Rails Live on Puma", :puma, "/live/streamer_sse")
    LIVE = Contender.new("Rails Live + Net::HTTP on Puma", :puma, "/live/net_http", protocols: ONE_ONE)

    OPENAI = Contender.new("ruby-openai on Faraday's net_http: Rails Live on Puma", :puma, "/live/ruby_openai?adapter=net_http",
                           protocols: ONE_ONE, gem: "ruby-openai")
    OUR_OPENAI = Contender.new("ruby-openai on Faraday's streamer: Rails Live on Puma", :puma, "/live/ruby_openai?adapter=streamer",
                               gem: "ruby-openai")
    LLM = Contender.new("ruby_llm on Faraday's net_http: Rails Live on Puma", :puma, "/live/ruby_llm?adapter=net_http",
                        protocols: ONE_ONE, gem: "ruby_llm")
    OUR_LLM = Contender.new("ruby_llm on Faraday's streamer: Rails Live on Puma", :puma, "/live/ruby_llm?adapter=streamer", gem: "ruby_llm")

    FALCON = Contender.new("streamer, events.relay: Rails on Falcon", :falcon, "/rails/relay")
    BARE = Contender.new("streamer, each_frames: bare Rack on Falcon", :falcon, "/bare/relay")
    ASYNC = Contender.new("Rails + async-http on Falcon", :falcon, "/rails/async_http")
    BARE_ASYNC = Contender.new("bare Rack + async-http on Falcon", :falcon, "/bare/async_http")

    GO = Contender.new("Go, net/http", :go, "/", ruby: false)
    NGINX = Contender.new("nginx, pass-through: decodes nothing", :nginx, "/", protocols: ONE_ONE, ruby: false)

    ALL = [RELAY, EVENTS, VALUES, SSE, LIVE, OPENAI, OUR_OPENAI, LLM, OUR_LLM, FALCON, BARE, ASYNC, BARE_ASYNC, GO, NGINX].freeze

    # What an action takes that waits for no upstream.
    ACTION = Contender.new("a Rails action that renders one token, Puma, 5 threads", :puma_of_five, "/rails/one_token", protocols: [PLAIN])

    # What this bundle lacks, in words.
    def self.missing
      ALL.filter_map(&:gem).uniq.reject { |gem| Gem.loaded_specs.key?(gem) }
         .map { |gem| "#{gem} is left out: this leg's Ruby #{RUBY_VERSION} is too old for it (BUNDLE_GEMFILE=gemfiles/rails81.gemfile has it)" }
    end
  end
end
