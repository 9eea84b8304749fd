# frozen_string_literal: true

require "json"
require_relative "support/contest"
require_relative "support/frames"
require_relative "support/servers"

module Bench
  # The relay: from an upstream to many browsers, through real servers. One core for the server, another for upstream
  # and load generator, which checks that every token arrives once and in order.
  class Relay
    # server: a method of Servers. ruby: whether a busy Ruby thread can be in its way.
    Contender = Struct.new(:name, :server, :path, :ruby)

    RELAY = Contender.new("streamer, relay_events: Rails on Puma, 5 threads", :puma_of_five, "/rails/relay_events_action", true)
    EVENTS = Contender.new("streamer, events.relay: Rails on Puma", :puma, "/rails/relay", true)
    VALUES = Contender.new("streamer, a Ruby block per value: Rails on Puma", :puma, "/rails/values", true)
    SSE = Contender.new("Streamer::SSE and a block per value: Rails Live on Puma", :puma, "/live/streamer_sse", true)
    LIVE = Contender.new("Rails Live + Net::HTTP on Puma", :puma, "/live/net_http", true)
    FALCON = Contender.new("streamer, events.relay: Rails on Falcon", :falcon, "/rails/relay", true)
    BARE = Contender.new("streamer, each_frames: bare Rack on Falcon", :falcon, "/bare/relay", true)
    ASYNC = Contender.new("Rails + async-http on Falcon", :falcon, "/rails/async_http", true)
    BARE_ASYNC = Contender.new("bare Rack + async-http on Falcon", :falcon, "/bare/async_http", true)
    GO = Contender.new("Go, net/http", :go, "/", false)
    NGINX = Contender.new("nginx, pass-through: decodes nothing", :nginx, "/", false)
    CONTENDERS = [RELAY, EVENTS, VALUES, SSE, LIVE, FALCON, BARE, ASYNC, BARE_ASYNC, GO, NGINX].freeze

    # What an action takes that waits for no upstream.
    ACTION = Contender.new("a Rails action that renders one token, Puma, 5 threads", :puma_of_five, "/rails/one_token", true)

    Load = Struct.new(:streams, :tokens, :us, :limit, keyword_init: true) do
      def to_s = "#{streams} × #{tokens} tokens, #{pace}"

      def pace
        return "as fast as they go" if us.zero?

        us > 1_000_000 ? "one in #{us / 1_000_000} s each" : "#{1_000_000 / us} a second each"
      end
    end

    FIRST = Load.new(streams: 200, tokens: 1, us: 0, limit: 30)
    FEW = Load.new(streams: 10, tokens: 100, us: 20_000, limit: 30)
    FLAT = Load.new(streams: 10, tokens: 2000, us: 0, limit: 30)
    SHORT = Load.new(streams: 200, tokens: 100, us: 50_000, limit: 60)
    HELD = Load.new(streams: 1000, tokens: 20, us: 500_000, limit: 60)
    CROWD = Load.new(streams: 9000, tokens: 6, us: 5_000_000, limit: 120)
    MANY = Load.new(streams: 200, tokens: 400, us: 50_000, limit: 90)

    def initialize(size)
      @size = size
    end

    # Every way gives the browser the same values.
    def check
      Servers.open { |servers| check_all(servers) }
    end

    def run(report)
      report.section("relay", <<~NOTE.tr("\n", " ").strip)
        An OpenAI chat to event frames with {content: text}. The delay of a token is from the upstream's queue to the load
        generator. The server has one core, upstream and load generator another. Puma has 256 threads where a controller's block
        writes, because each stream then needs one, and 5 for relay_events. Memory is what a process and its children grew by in the first round, by stream.
      NOTE
      @report = report
      Servers.open do |servers|
        check_all(servers)
        few(servers)
        busy(servers)
        many(servers)
        flat(servers)
        first(servers)
        crowd(servers)
      end
    end

    private

    def all = CONTENDERS

    def contenders(servers)
      @contenders ||= all.select { |contender| servers.public_send(contender.server) }
    end

    SAMPLE = 20

    def check_all(servers)
      contenders(servers).each do |contender|
        texts = texts_of(servers.public_send(contender.server).get("#{contender.path}?n=#{SAMPLE}&us=1000"))
        sequence = texts.map { |text| text[/\A@(\d+):\d+ \z/, 1]&.to_i }
        next if sequence == [*0...SAMPLE]

        raise Contest::Different, "relay: #{contender.name} gave #{texts.inspect}"
      end
    end

    # nginx hands the upstream's events on as they are.
    def texts_of(body)
      raw = body.gsub(/^data: \[DONE\]\n\n/, "")
      Frames.read([raw]).filter_map do |type, data|
        case type
        when "token" then data.fetch("content")
        when "message" then data.dig("choices", 0, "delta", "content")
        end
      end
    end

    def few(servers)
      found = measure(servers, FEW, contenders(servers))
      table("#{FEW}.", found, LIVE, :cpu)
      [RELAY, SSE].each { |ours| target("#{ours.name}, median delay at 50 tokens/s", "<= 2", delay(found, ours, :p50), "ms") }
    end

    def busy(servers)
      ruby = contenders(servers).select(&:ruby)
      with_busy_thread(servers, ruby) do
        found = measure(servers, FEW, ruby)
        table("The same with one busy Ruby thread in the process.", found, LIVE)
        target("#{RELAY.name}, one busy Ruby thread, p99", "<= 10", delay(found, RELAY, :p99), "ms")
        target("#{RELAY.name}, one busy Ruby thread, p50", "<= 1", delay(found, RELAY, :p50), "ms")
        target("#{VALUES.name}, one busy Ruby thread, p99", "<= 300", delay(found, VALUES, :p99), "ms")
      end
    end

    # Streams that are open while other requests are answered.
    def crowd(servers)
      found = measure(servers, HELD, contenders(servers) & [RELAY, NGINX])
      table("#{HELD}.", found, NGINX, :cpu, :memory)
      return unless @size.long_relay

      server = servers.puma_of_five
      idle = json_times(server, 200)
      @report.progress("#{CROWD}: #{RELAY.name}")
      running = Thread.new { servers.load(server, RELAY.path, **CROWD.to_h) }
      wait_open(server, CROWD.streams)
      meanwhile = json_times(server, 200)
      raise Contest::Different, "relay: not all streams were open while the action was asked" unless open_streams(server) == CROWD.streams

      result = running.value
      @report.note("#{CROWD}, in one Puma with 5 threads. An ordinary JSON action is asked 200 times, every 50 ms, before and while all are open.")
      @report.table(["tokens", "lost", "out of order", "KB/stream", "JSON idle ms", "JSON meanwhile ms"],
                    [[result[:tokens].to_s, ((CROWD.streams * CROWD.tokens) - result[:tokens]).to_s, result[:out_of_order].to_s,
                      *[result[:kb_per_stream], Bench.median(idle) * 1000, Bench.median(meanwhile) * 1000].map { |number| @report.number(number) }]])
      target("#{CROWD}: memory of a stream", "<= 24", result[:kb_per_stream], "KB")
      target("#{CROWD}: a JSON action's median against idle", "<= 2", Bench.median(meanwhile) / Bench.median(idle), "×")
    end

    def wait_open(server, streams)
      deadline = now + CROWD.limit
      until (open = open_streams(server)) == streams
        raise Contest::Different, "relay: #{open} of #{streams} streams open" if now > deadline

        sleep 0.1
      end
    end

    def open_streams(server) = Integer(server.get("/rails/open"))

    def json_times(server, count)
      Array.new(count) do
        sleep 0.05
        started = now
        server.get("/rails/json")
        now - started
      end
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def many(servers)
      short = measure(servers, SHORT, contenders(servers))
      table("#{SHORT}.", short, NGINX, :cpu, :memory)
      return unless @size.long_relay

      found = measure(servers, MANY, contenders(servers))
      table("#{MANY}.", found, NGINX, :cpu)
      compare(found)
      slope(short, found)
    end

    def flat(servers)
      table("#{FLAT}.", measure(servers, FLAT, contenders(servers)), NGINX, :cpu)
    end

    # 200 browsers at once, and each one's time to its first and only token.
    def first(servers)
      found = measure(servers, FIRST, [RELAY, ACTION])
      times = [RELAY, ACTION].map { |way| median(found, way) { |result| result[:first_token_ms][:p50] } }
      @report.note("#{FIRST.streams} at once, one token each: the median time to it.")
      @report.table(["", "first token ms"], [RELAY, ACTION].zip(times).map { |way, time| [way.name, @report.number(time)] })
      target("#{RELAY.name}, #{FIRST.streams} at once: time to the first token against an action without an upstream", "<= 1.5",
             times.first / times.last, "×")
    end

    def compare(found)
      { NGINX => 1.4, GO => 0.65, ASYNC => 0.35 }.each do |other, limit|
        at_most(limit, found, RELAY, other, MANY, "CPU") { |way| cpu(found, way) }
      end
      %i[p50 p99].each { |point| at_most(1.5, found, RELAY, NGINX, MANY, point) { |way| delay(found, way, point) } }
    end

    def at_most(limit, found, ours, other, load, what)
      return unless found.key?(other)

      target("#{ours.name}, #{load}: #{what} against #{other.name}", "<= #{limit}", quotient(yield(ours), yield(other)), "×")
    end

    # What a token more costs: the start of a stream and Rails' part of a request fall out.
    def slope(short, long)
      per_token = contenders_of(long).to_h do |contender|
        tokens = MANY.tokens - SHORT.tokens
        [contender, ((cpu(long, contender) * MANY.tokens) - (cpu(short, contender) * SHORT.tokens)) / tokens]
      end
      @report.note("CPU for each token more, between #{SHORT.tokens} and #{MANY.tokens} tokens a stream:")
      rows = per_token.map { |contender, us| [contender, us, quotient(us, per_token[NGINX])] }
      @report.table(["", "us/token", "against nginx"],
                    rows.map { |contender, us, ratio| [contender.name, @report.number(us), @report.ratio(ratio)] })
      ratio = quotient(per_token[RELAY], per_token[NGINX])
      target("#{RELAY.name}, CPU for each token more against nginx", "<= 1.15", ratio, "×")
    end

    # { contender => [loadgen's Hash, ...] }, in rounds in which the contenders take turns.
    def measure(servers, load, contenders)
      found = Hash.new { |all, contender| all[contender] = [] }
      @size.relay_rounds.times do |round|
        contenders.each do |contender|
          @report.progress("round #{round + 1} of #{@size.relay_rounds}: #{load}: #{contender.name}")
          result = servers.load(servers.public_send(contender.server), contender.path, **load.to_h)
          raise Contest::Different, "relay: #{contender.name} lost the order of tokens" if result[:out_of_order].positive?

          found[contender] << result
        end
      end
      found
    end

    def with_busy_thread(servers, contenders)
      busy = contenders.map { |contender| servers.public_send(contender.server) }.uniq
      busy.each { |server| server.get("/busy?threads=1") }
      yield
    ensure
      busy&.each { |server| server.get("/busy?threads=0") }
    end

    # more: :cpu and :memory as well.
    def table(title, found, baseline, *more)
      @report.note("#{title} Ratios are against #{baseline.name}.")
      columns = ["", "p50 ms", "ratio", "p99 ms", "ratio", "first token ms"]
      columns.push("CPU us/token", "ratio") if more.include?(:cpu)
      columns << "KB/stream" if more.include?(:memory)
      columns << "cut streams"
      @report.table(columns, contenders_of(found).map { |contender| row(found, contender, baseline, more) })
    end

    def row(found, contender, baseline, more)
      numbers = %i[p50 p99].flat_map { |point| with_ratio(contender, baseline) { |way| delay(found, way, point) } }
      numbers << median(found, contender) { |result| result[:first_token_ms][:p50] }
      numbers.concat(with_ratio(contender, baseline) { |way| cpu(found, way) }) if more.include?(:cpu)
      numbers << found[contender].first[:kb_per_stream] if more.include?(:memory)
      [contender.name, *numbers.map { |number| @report.number(number) }, cut(found, contender)]
    end

    def with_ratio(contender, baseline)
      number = yield contender
      [number, quotient(number, yield(baseline))]
    end

    # Streams of all rounds without all their tokens or without an end.
    def cut(found, contender) = found[contender].sum { |result| result[:incomplete] }.to_s

    def contenders_of(found) = all & found.keys

    # Milliseconds.
    def delay(found, contender, point) = median(found, contender) { |result| result[:delay_us][point] / 1000.0 }

    # Microseconds for a token.
    def cpu(found, contender) = median(found, contender) { |result| result[:cpu_s] * 1e6 / [result[:tokens], 1].max }

    def median(found, contender, &value)
      Bench.median(found[contender].map(&value)) if found.key?(contender)
    end

    def quotient(ours, theirs) = ours && theirs&.positive? ? ours / theirs : nil

    def target(what, wanted, found, unit)
      @report.target(what, wanted, found, unit) if found
    end
  end
end
