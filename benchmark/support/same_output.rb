# frozen_string_literal: true

require_relative "contest"
require_relative "frames"

module Bench
  # Whether entries give the browser the same values, and ask over the protocol that their rows say.
  #
  #   SameOutput.new(servers).check(entries)   # Contest::Different unless they do
  class SameOutput
    SAMPLE = 20
    QUERY = "n=#{SAMPLE}&us=1000"

    def initialize(servers)
      @servers = servers
    end

    def check(entries) = entries.each { |entry| check_one(entry) }

    private

    def check_one(entry)
      body = nil
      spoken = spoken_by(entry) { body = entry.in(@servers).get(entry.path + (entry.path.include?("?") ? "&" : "?") + QUERY) }
      raise Contest::Different, "#{entry} gave #{body.inspect}" unless sequence(body) == [*0...SAMPLE]
      raise Contest::Different, "#{entry} spoke #{spoken.inspect}" unless spoken == entry.protocol.spoken(@servers.tls)
    end

    def spoken_by(entry, &block)
      return @servers.protocol_of(&block) if entry.protocol.tls?

      yield
      nil
    end

    # The numbers of the tokens, see benchmark/tools/upstream.c.
    def sequence(body) = texts_of(body).map { |text| text[/\A@(\d+):\d+ \z/, 1]&.to_i }

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
  end
end
