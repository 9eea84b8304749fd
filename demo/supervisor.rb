# frozen_string_literal: true

# Starts the processes of the demo and ends them; bin/demo runs it, and has the options.
#
#   ruby supervisor.rb SERVER PORT [redis]      SERVER: puma or falcon; PORT: 0 for any
#
# USR1 kills the worker (-9) and starts another. USR2 cuts every browser's connection. INT and TERM end all.

require "fileutils"
require "securerandom"
require_relative "supervisor/children"
require_relative "supervisor/plug"
require_relative "supervisor/redis"

class Supervisor
  STORAGE = ENV.fetch("DEMO_STORAGE") { File.expand_path("../tmp/demo", __dir__) }
  ENDS = %w[INT TERM].freeze

  # What lets a browser notice, and not just come back.
  OUTAGE = 3

  Failed = Class.new(StandardError)

  def initialize(server, port, redis: false)
    @server = server
    @port = port
    @wants_redis = redis
    @happenings = Thread::Queue.new
    @children = Children.new(@happenings)
    @plugs = []
  end

  def run
    trap("USR1") { @happenings << :kill_worker }
    trap("USR2") { @happenings << :cut }
    ENDS.each { |signal| trap(signal) { exit } }
    start
    loop do
      case (happening = @happenings.pop)
      when :kill_worker then @children.kill("worker")
      when :cut then @plugs.each { |plug| plug.pull(OUTAGE) }
      else ended(happening)
      end
    end
  rescue Failed => error
    warn "demo: #{error.message}"
    exit 1
  ensure
    ENDS.each { |signal| trap(signal, "IGNORE") } # once is enough
    @children.stop
  end

  private

  def start
    FileUtils.mkdir_p(STORAGE)
    @environment = { "RAILS_ENV" => "development", "DEMO_STORAGE" => STORAGE, "DEMO_SECRET" => secret, "DEMO_SUPERVISOR" => Process.pid.to_s }
    @environment["DEMO_REDIS"] = start_redis if @wants_redis
    @environment["UPSTREAM_URL"] = @children.start_and_read("upstream", @environment, "ruby", "upstream.rb")
    @children.run(@environment, "ruby", "db/prepare.rb") or raise Failed, "its database could not be made; the reason is above"
    start_webs
    start_worker
  end

  def start_redis
    redis = Redis.new(STORAGE)
    @children.start("redis", {}, *redis.command)
    redis.wait
    redis.url
  rescue Redis::Missing => error
    raise Failed, error.message
  end

  # With Redis two, which know nothing of each other.
  def start_webs
    count = @wants_redis ? 2 : 1
    @plugs = Array.new(count) { |index| Plug.new(@port.zero? ? 0 : @port + index) }
    urls = @plugs.map(&:url)
    @plugs.each_with_index do |plug, index|
      name = "web #{index + 1}"
      @children.start(name, { **@environment, "DEMO_WEB" => name, "DEMO_URLS" => urls.join(" ") }, *web(plug.inner_port))
    end
    @plugs.each { |plug| wait_for(plug) }
    puts "", "    The demo is at  #{urls.join("  and  ")}  (#{@server}). Ctrl-C ends it.", ""
    $stdout.flush
  rescue Errno::EADDRINUSE => error
    raise Failed, "#{error.message}. Choose another port: bin/demo --port #{@port + 10}"
  end

  def web(port)
    case @server
    when "puma" then ["puma", "--quiet", "--config", "config/puma.rb", "--bind", "tcp://127.0.0.1:#{port}", "config.ru"]
    when "falcon" then ["falcon", "serve", "--count", "1", "--bind", "http://127.0.0.1:#{port}", "--config", "config.ru"]
    end
  end

  def wait_for(plug)
    until plug.live?
      raise Failed, "#{@server} did not start; it says why above" unless @happenings.empty?

      sleep 0.1
    end
    plug.open
  end

  def start_worker = @children.start("worker", @environment, "ruby", "worker.rb")

  # A worker is replaced; without one of the others there is no demo.
  def ended(name)
    return start_worker if name == "worker"

    raise Failed, "#{name} ended; it says why above"
  end

  # Kept, so that a page which is still open can go on after a restart.
  def secret
    path = File.join(STORAGE, "secret")
    File.write(path, SecureRandom.hex(64), perm: 0o600) unless File.exist?(path)
    File.read(path)
  end
end

server, port, redis = ARGV
Supervisor.new(server, Integer(port), redis: redis == "redis").run
