# frozen_string_literal: true

require "streamer/testing/certificates"

require_relative "processes"
require_relative "protocols"

module Bench
  # The processes of a relay measurement: our upstream with its TLS front, the servers in between, and the load generator.
  # Servers have the first core to themselves, the tools the second, where there are two.
  #
  #   Servers.open(tls: "TLSv1.3") do |servers|
  #     servers.find(:puma, H2)           # a Server, started at first use; nil where the program is missing
  #     servers.find(:puma, H2).get("/")  # String
  #     servers.load(server, "/path", streams: 10, tokens: 100, us: 20_000, limit: 30)   # loadgen's Hash
  #     servers.client("upstreams.rb", "tasks", 10)   # the Hash that a script of apps/ prints
  #     servers.protocol_of { ask }       # "HTTP/2.0 TLSv1.3": what the front saw of a request
  #   end                                 # ends everything that was started
  class Servers < Processes
    # Enough for 200 streams: Puma needs a thread for each stream that a controller's block writes.
    MANY_THREADS = "256:256"

    # Puma's own default; relay_events needs no more.
    FEW_THREADS = "5:5"

    TLS = "TLSv1.3"

    # What applications verify against: the system's authorities and ours.
    SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"

    attr_reader :tls

    def self.open(tls: TLS, &block) = super(tls, &block)

    # Whether a server of this kind can be had, and can ask over the protocol.
    def self.available?(kind, protocol)
      return false if protocol.tls? && !Tools.available?("nginx")

      %i[nginx go].include?(kind) ? Tools.available?(kind.to_s) : true
    end

    def initialize(tls)
      super()
      @tls = tls
      @servers = {}
      @upstream = start_upstream
    end

    # kind: a private method below.
    def find(kind, protocol)
      return unless Servers.available?(kind, protocol)

      @servers[[kind, protocol]] ||= send(kind, protocol)
    end

    # What the front saw of the last request of the block, once it has logged more than before.
    def protocol_of
      before = File.size?(front_log).to_i
      yield
      deadline = now + STOP_SECONDS
      sleep 0.01 until File.size?(front_log).to_i > before || now > deadline
      File.readlines(front_log, chomp: true).last
    end

    # newcomers: streams that begin when half of the tokens were here.
    def load(server, path, streams:, tokens:, us:, limit:, newcomers: 0)
      query = "#{path.include?("?") ? "&" : "?"}n=#{tokens}&us=#{us}"
      run("loadgen", [*on(1), Tools.c("loadgen"), server.port, "#{path}#{query}", streams, tokens, limit, server.pid, newcomers].map(&:to_s))
    end

    # What a script of apps/ has measured, on the servers' core.
    def client(script, *arguments)
      run(script, [*on(0), RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", File.join(APPS, script), upstream_url(PLAIN), *arguments.map(&:to_s)])
    end

    private

    def puma(protocol) = start_puma("puma", protocol, MANY_THREADS)

    # relay_events needs no more.
    def puma_of_five(protocol) = start_puma("puma-5", protocol, FEW_THREADS)

    def falcon(protocol)
      start_over("falcon", protocol, environment("fiber")) do |port|
        [*ruby, "falcon", "serve", "--bind", "http://127.0.0.1:#{port}", "--count", "1", "--config", app]
      end
    end

    def nginx(protocol)
      start_over("nginx", protocol) do |port|
        name = "nginx-#{protocol.name}"
        configure("nginx.conf", "#{name}.conf", "NAME" => name, "PORT" => port, "SCHEME" => protocol.scheme,
                                                "UPSTREAM" => upstream_url(protocol)[%r{//(.+)}, 1])
      end
    end

    def go(protocol)
      start_over("go", protocol) { |port| [Tools.go(File.join(APPS, "relay.go")), "127.0.0.1:#{port}", upstream_url(protocol)] }
    end

    def upstream_url(protocol)
      protocol == PLAIN ? "http://127.0.0.1:#{@upstream}" : "https://localhost:#{front.fetch(protocol)}"
    end

    # { protocol => port }
    def front
      @front ||= { H2 => free_port, H1 => free_port }.tap do |ports|
        command = configure("front.conf", "front.conf", "UPSTREAM" => "127.0.0.1:#{@upstream}", "H2" => ports[H2], "H1" => ports[H1],
                                                        "CERTIFICATE" => Certificates.server[:cert], "KEY" => Certificates.server[:key])
        log = File.join(@directory, "front-start.log")
        wait_ready("the TLS front", spawn({}, [*on(1), *command], out: log, err: %i[child out]), ports[H1], log)
      end
    end

    Certificates = Streamer::Testing::Certificates

    def front_log = File.join(@directory, "front.log")

    # nginx's command for a configuration in which what stands between @ was put in.
    def configure(template, name, settings)
      settings = { "TLS" => @tls, "CA" => ca_file, "FILES" => Process.getrlimit(:NOFILE).first }.merge(settings)
      text = File.read(File.join(APPS, template)).gsub(/@([A-Z0-9]+)@/) { settings.fetch($1).to_s }
      File.write(File.join(@directory, name), text)
      ["nginx", "-p", @directory, "-c", name, "-e", "nginx-start.log"]
    end

    def ca_file
      @ca_file ||= File.join(@directory, "ca.pem").tap do |path|
        system = File.exist?(SYSTEM_CAS) ? File.read(SYSTEM_CAS) : ""
        File.write(path, system + File.read(Certificates.ca_file))
      end
    end

    def app = File.join(APPS, "relay.ru")

    def environment(isolation)
      { "RAILS_ENV" => "production", "RACK_ENV" => "production", "ISOLATION" => isolation, "CONSOLE_LEVEL" => "error" }
    end

    def start_puma(name, protocol, threads)
      start_over(name, protocol, environment("thread")) do |port|
        [*ruby, "puma", "--quiet", "--no-config", "--bind", "tcp://127.0.0.1:#{port}", "--threads", threads, app]
      end
    end

    # OpenSSL's own variable: what Net::HTTP, async-http and Go read.
    def start_over(name, protocol, variables = {}, &command)
      start("#{name}-#{protocol.name}", { "UPSTREAM" => upstream_url(protocol), "SSL_CERT_FILE" => ca_file }.merge(variables), &command)
    end
  end
end
