# frozen_string_literal: true

# How each server that Peer knows is started: [environment, program, arguments...], and how it is told to read its configuration again.
module PeerCommands
  MODULES = "/usr/lib/apache2/modules"

  class << self
    def of(peer) = send(peer.kind, peer)

    def reload(peer)
      case peer.kind
      when :nginx then peer.signal(:HUP)
      when :apache then peer.signal(:USR1)
      when :haproxy then peer.signal(:USR2)
      when :caddy
        system({ "HOME" => peer.directory }, "caddy", "reload", "--force", "--config", peer.file("Caddyfile"), "--adapter", "caddyfile",
               out: File::NULL, err: File::NULL) or raise "caddy does not reload"
      else raise ArgumentError, "#{peer.kind} cannot be reloaded"
      end
    end

    private

    def certificate = Certificates.server[:cert]
    def key = Certificates.server[:key]

    def nginx(peer)
      configuration = peer.file("nginx.conf", <<~CONF)
        daemon off; worker_processes 1; pid #{peer.directory}/pid; error_log #{peer.directory}/error.log;
        #{"user root;" if Process.uid.zero?}
        events { worker_connections 1024; }
        http {
          access_log off; client_max_body_size 0; keepalive_timeout #{peer.keep_alive}s;
          client_body_temp_path #{peer.directory}/body; proxy_temp_path #{peer.directory}/proxy;
          fastcgi_temp_path #{peer.directory}/fastcgi; uwsgi_temp_path #{peer.directory}/uwsgi; scgi_temp_path #{peer.directory}/scgi;
          server {
            listen 127.0.0.1:#{peer.port}#{" ssl" if peer.tls?}#{" http2" if peer.http2?};
            ssl_certificate #{certificate}; ssl_certificate_key #{key}; ssl_protocols TLSv1.2 TLSv1.3;
            location / {
              proxy_pass http://127.0.0.1:#{peer.backend_port};
              proxy_buffering off; proxy_request_buffering off; proxy_http_version 1.1;
            }
            location /files/ { root #{peer.directory}; }
          }
        }
      CONF
      [{}, "/usr/sbin/nginx", "-p", peer.directory, "-c", configuration, "-e", peer.file("error.log")]
    end

    def apache(peer)
      modules = %w[mpm_event authz_core ssl socache_shmcb http2 proxy proxy_http]
      configuration = peer.file("apache.conf", <<~CONF)
        #{modules.map { |name| "LoadModule #{name}_module #{MODULES}/mod_#{name}.so" }.join("\n")}
        ServerRoot #{peer.directory}
        ServerName localhost
        DefaultRuntimeDir #{peer.directory}
        PidFile #{peer.directory}/pid
        ErrorLog #{peer.directory}/error.log
        #{"User www-data\nGroup www-data" if Process.uid.zero?}
        Listen 127.0.0.1:#{peer.port}
        Protocols #{peer.http2? ? "h2" : "http/1.1"}
        H2OutputBuffering off
        KeepAlive On
        KeepAliveTimeout #{peer.keep_alive}
        MaxKeepAliveRequests 0
        SSLEngine on
        SSLCertificateFile #{certificate}
        SSLCertificateKeyFile #{key}
        ProxyPass / http://127.0.0.1:#{peer.backend_port}/ flushpackets=on
      CONF
      [{}, "/usr/sbin/apache2", "-f", configuration, "-DFOREGROUND"]
    end

    def haproxy(peer)
      both = peer.file("both.pem", File.read(certificate) + File.read(key))
      configuration = peer.file("haproxy.cfg", <<~CONF)
        global
          hard-stop-after 5s
        defaults
          mode http
          timeout connect 5s
          timeout client 60s
          timeout server 60s
          timeout http-keep-alive #{peer.keep_alive}s
        frontend front
          bind 127.0.0.1:#{peer.port} ssl crt #{both} alpn #{peer.http2? ? "h2" : "http/1.1"}
          default_backend back
        backend back
          server behind 127.0.0.1:#{peer.backend_port}
      CONF
      [{}, "/usr/sbin/haproxy", "-W", "-db", "-f", configuration]
    end

    def caddy(peer)
      configuration = peer.file("Caddyfile", <<~CONF)
        {
          admin unix/#{peer.directory}/admin
          auto_https off
          servers {
            protocols #{peer.http2? ? "h1 h2" : "h1"}
            timeouts {
              idle #{peer.keep_alive}s
            }
          }
        }
        https://localhost:#{peer.port} {
          bind 127.0.0.1
          tls #{certificate} #{key}
          reverse_proxy 127.0.0.1:#{peer.backend_port} {
            flush_interval -1
          }
        }
      CONF
      [{ "HOME" => peer.directory, "XDG_CONFIG_HOME" => nil, "XDG_DATA_HOME" => nil }, "/usr/bin/caddy", "run",
       "--config", configuration, "--adapter", "caddyfile"]
    end

    def nghttpx(peer)
      [{}, "/usr/sbin/nghttpx", "--conf=/dev/null", "--single-process", "--workers=1", "--frontend=127.0.0.1,#{peer.port}",
       "--backend=127.0.0.1,#{peer.backend_port}", "--npn-list=#{peer.http2? ? "h2" : "http/1.1"}",
       "--frontend-keep-alive-timeout=#{peer.keep_alive}s", "--frontend-http2-read-timeout=#{peer.keep_alive}s", key, certificate]
    end

    # Serves the directory's files, and echoes what is uploaded.
    def nghttpd(peer)
      [{}, "/usr/sbin/nghttpd", "--address=127.0.0.1", "--htdocs=#{peer.directory}", "--echo-upload", peer.port.to_s, key, certificate]
    end

    def puma(peer)
      configuration = peer.file("puma.rb", "persistent_timeout #{peer.keep_alive}\n")
      [{ "BACKEND" => peer.backend_port.to_s }, *ruby, "-S", "puma", "--config", configuration, "--environment", "production",
       "--bind", "ssl://127.0.0.1:#{peer.port}?key=#{key}&cert=#{certificate}", "--threads", "16:16", file("peer_app.ru")]
    end

    def falcon(peer)
      variables = { "BACKEND" => peer.backend_port.to_s, "PORT" => peer.port.to_s, "ALPN" => peer.http2? ? "h2" : "http/1.1",
                    "CERTIFICATE" => certificate, "KEY" => key }
      [variables, *ruby, file("falcon_peer.rb")]
    end

    def ruby = [RbConfig.ruby, "-W0"]

    def file(name) = File.expand_path(name, __dir__)
  end
end
