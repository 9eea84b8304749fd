# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require_relative "ports"
require_relative "upstream"

# A real proxy in front of a server on loopback, in a process of its own.
#
#   proxy = Proxy.nginx(server.port)      # Debian's nginx with its own prefix
#   proxy = Proxy.http2(server.port)      # the same, speaking HTTP/2
#   proxy = Proxy.thruster(server.port)   # the thruster gem's binary
#   proxy = Proxy.http                    # tinyproxy, for clients that go out through it; user:, password:
#   proxy = Proxy.squid                   # squid, the same, and over TLS on proxy.tls_port; user:, password: have to be given
#   proxy = Proxy.socks                   # microsocks; user:, password:
#   proxy.port
#   proxy.log                             # what it has written so far
#   proxy.stop
class Proxy
  READY_SECONDS = 60

  attr_reader :port

  # Of squid.
  attr_accessor :tls_port

  # lines: of the location's configuration. settings: of the server's. listen: after the address.
  def self.nginx(target, lines: "", settings: "", listen: "")
    new do |directory, port|
      path = File.join(directory, "nginx.conf")
      File.write(path, <<~CONF)
        daemon off; worker_processes 1; master_process off; pid #{directory}/pid; error_log #{directory}/error.log;
        events { worker_connections 1024; }
        http {
          access_log off;
          client_body_temp_path #{directory}/body; proxy_temp_path #{directory}/proxy; fastcgi_temp_path #{directory}/fastcgi;
          uwsgi_temp_path #{directory}/uwsgi; scgi_temp_path #{directory}/scgi;
          gzip on; gzip_types *;
          server {
            listen 127.0.0.1:#{port}#{listen};
            #{settings}
            location / { proxy_pass http://127.0.0.1:#{target}; #{lines} }
          }
        }
      CONF
      [{}, ["/usr/sbin/nginx", "-p", directory, "-c", path, "-e", File.join(directory, "error.log")]]
    end
  end

  # HTTP/2 over TLS, as localhost; passes on as it comes, and says in x-connection which connection an answer came by.
  def self.http2(target, settings: "")
    certificate = "ssl_certificate #{Certificates.server[:cert]}; ssl_certificate_key #{Certificates.server[:key]};"
    nginx(target, listen: " ssl http2", settings: "gzip off; #{certificate} #{settings}",
                  lines: "proxy_buffering off; proxy_request_buffering off; proxy_http_version 1.1; add_header x-connection $connection;")
  end

  def self.thruster(target, **variables)
    new do |directory, port|
      [{ "TARGET_PORT" => target.to_s, "HTTP_PORT" => port.to_s, "STORAGE_PATH" => directory }.merge(variables),
       [Gem.bin_path("thruster", "thrust"), "sleep", "600"]]
    end
  end

  def self.http(user: nil, password: nil)
    new do |directory, port|
      path = File.join(directory, "tinyproxy.conf")
      File.write(path, <<~CONF)
        Port #{port}
        Listen 127.0.0.1
        Allow 127.0.0.1
        Timeout 60
        LogLevel Connect
        #{"BasicAuth #{user} #{password}" if user}
      CONF
      [{}, ["tinyproxy", "-d", "-c", path]]
    end
  end

  def self.squid(user:, password:)
    tls_port = Ports.free
    proxy = new do |directory, port|
      files = %w[squid.conf passwords both.pem].to_h { |name| [name, File.join(directory, name)] }
      File.chmod(0o777, directory) # it gives up root
      File.write(files["passwords"], "#{user}:#{password.crypt("$1$streamer$")}\n")
      File.write(files["both.pem"], Certificates.server.values_at(:cert, :key).map { |path| File.read(path) }.join)
      File.write(files["squid.conf"], <<~CONF)
        http_port 127.0.0.1:#{port}
        https_port 127.0.0.1:#{tls_port} tls-cert=#{files["both.pem"]}
        auth_param basic program /usr/lib/squid/basic_ncsa_auth #{files["passwords"]}
        auth_param basic children 2
        acl known proxy_auth REQUIRED
        http_access allow known
        http_access deny all
        cache deny all
        cache_log #{directory}/cache.log
        access_log none
        pid_filename none
        coredump_dir #{directory}
        shutdown_lifetime 0 seconds
        read_ahead_gap 64 KB
        hosts_file /etc/hosts
        pinger_enable off
      CONF
      [{}, ["/usr/sbin/squid", "--foreground", "-f", files["squid.conf"]]]
    end
    proxy.tap { proxy.tls_port = tls_port }
  end

  def self.socks(user: nil, password: nil)
    new do |_directory, port|
      [{}, ["microsocks", "-i", "127.0.0.1", "-p", port.to_s, *(["-u", user, "-P", password] if user)]]
    end
  end

  def initialize
    @directory = Dir.mktmpdir("streamer-proxy")
    @port = Ports.free
    variables, command = yield(@directory, @port)
    @pid = Process.spawn(variables, *command, in: File::NULL, out: log_file, err: [:child, :out])
    wait_ready
  end

  def stop
    Process.kill(:TERM, @pid)
    Process.wait(@pid)
  ensure
    FileUtils.remove_entry(@directory)
  end

  def log = Fiber.new(blocking: true) { File.read(log_file) }.resume

  private

  def log_file = File.join(@directory, "log")

  def wait_ready
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + READY_SECONDS
    TCPSocket.new("127.0.0.1", @port).close
  rescue Errno::ECONNREFUSED
    raise "the proxy has ended:\n#{log}" if Process.wait(@pid, Process::WNOHANG)
    raise "the proxy was not ready:\n#{log}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

    sleep 0.02
    retry
  end
end
