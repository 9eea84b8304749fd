# frozen_string_literal: true

module Bench
  # What an upstream is asked over. name: on the command line; title: in tables; version: as nginx logs it.
  Protocol = Struct.new(:name, :title, :scheme, :version) do
    def tls? = scheme == "https"

    # What the TLS front must have logged; nil where there is none in between.
    def spoken(tls) = ("#{version} #{tls}" if tls?)
  end

  H2 = Protocol.new("https-h2", "https, HTTP/2", "https", "HTTP/2.0")
  H1 = Protocol.new("https-h1", "https, HTTP/1.1", "https", "HTTP/1.1")
  PLAIN = Protocol.new("plain", "plain, HTTP/1.1", "http", "HTTP/1.1")

  # As the tables have them.
  PROTOCOLS = [H2, H1, PLAIN].freeze
end
