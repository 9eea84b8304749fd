# frozen_string_literal: true

require "fileutils"
require "openssl"
require "tmpdir"

module Streamer
  module Testing
    # A private certificate authority, made once per process: one key, one certificate, for localhost and for no address.
    #
    #   Streamer::Testing::Certificates.ca_file   # path of the authority's certificate, for a client's tls: { ca_file: }
    #   Streamer::Testing::Certificates.server_certificate, .server_key
    #   Streamer::Testing::Certificates.client    # for a client's tls: { cert:, key: (encrypted), key_password: }, paths
    #   Streamer::Testing::Certificates.server    # for a server that is another process: { cert:, key: }, paths
    module Certificates
      class << self
        def ca_file
          @ca_file ||= file("ca.pem", ca_certificate.to_pem)
        end

        def client
          @client ||= begin
            key = OpenSSL::PKey::RSA.new(2048)
            own = certificate("streamer test client", key, ca_certificate, ca_key, serial: 3) { |_extend| nil }
            { cert: file("client.pem", own.to_pem), key: file("client-key.pem", key.to_pem(OpenSSL::Cipher.new("aes-256-cbc"), "s3cr3t")),
              key_password: "s3cr3t" }
          end
        end

        def server
          @server ||= { cert: file("server.pem", server_certificate.to_pem), key: file("server-key.pem", server_key.to_pem) }
        end

        def server_key = @server_key ||= OpenSSL::PKey::EC.generate("prime256v1")

        def server_certificate
          @server_certificate ||= certificate("localhost", server_key, ca_certificate, ca_key, serial: 2) do |extend|
            extend.call("subjectAltName", "DNS:localhost")
          end
        end

        private

        def file(name, pem)
          @directory ||= Dir.mktmpdir("streamer-ca").tap do |path|
            owner = Process.pid
            at_exit { FileUtils.rm_rf(path) if Process.pid == owner }
          end
          File.join(@directory, name).tap { |path| File.write(path, pem) }
        end

        def ca_key = @ca_key ||= OpenSSL::PKey::EC.generate("prime256v1")

        def ca_certificate
          @ca_certificate ||= certificate("streamer test authority", ca_key, nil, ca_key, serial: 1) do |extend|
            extend.call("basicConstraints", "CA:TRUE", true)
            extend.call("keyUsage", "keyCertSign,cRLSign", true)
          end
        end

        def certificate(name, key, issuer, issuer_key, serial:)
          certificate = OpenSSL::X509::Certificate.new
          certificate.version = 2
          certificate.serial = serial
          certificate.subject = OpenSSL::X509::Name.new([["CN", name]])
          certificate.issuer = (issuer || certificate).subject
          certificate.public_key = key
          certificate.not_before = Time.now - 3600
          certificate.not_after = Time.now + 86_400
          factory = OpenSSL::X509::ExtensionFactory.new(issuer || certificate, certificate)
          yield ->(*arguments) { certificate.add_extension(factory.create_extension(*arguments)) }
          certificate.sign(issuer_key, OpenSSL::Digest.new("SHA256"))
        end
      end
    end
  end
end
