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
    module Certificates
      class << self
        def ca_file
          @ca_file ||= File.join(Dir.mktmpdir("streamer-ca"), "ca.pem").tap do |path|
            File.write(path, ca_certificate.to_pem)
            owner = Process.pid
            at_exit { FileUtils.rm_rf(File.dirname(path)) if Process.pid == owner }
          end
        end

        def server_key = @server_key ||= OpenSSL::PKey::EC.generate("prime256v1")

        def server_certificate
          @server_certificate ||= certificate("localhost", server_key, ca_certificate, ca_key, serial: 2) do |extend|
            extend.call("subjectAltName", "DNS:localhost")
          end
        end

        private

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
