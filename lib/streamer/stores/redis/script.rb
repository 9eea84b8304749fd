# frozen_string_literal: true

require "digest"

module Streamer
  module Stores
    class Redis
      # A script as servers know it: by its digest, once they have seen the source.
      class Script # :nodoc:
        attr_reader :source, :digest

        def initialize(*names)
          @source = names.map { |name| File.read(File.join(__dir__, "scripts", "#{name}.lua")) }.join.freeze
          @digest = Digest::SHA1.hexdigest(@source).freeze
          freeze
        end

        # The command that runs it; with its source for a server that has not seen it.
        def command(keys, arguments, known: true)
          [known ? "EVALSHA" : "EVAL", known ? @digest : @source, keys.size, *keys, *arguments]
        end

        CREATE, HEADS, CLAIM, APPEND, RENEW, RELEASE, STOP, TEXT, PRUNE =
          %w[create heads claim append renew release stop text prune].map { |name| new("log", name) }
        DUE = new("due")

        # Numbers that claim.lua puts others in place of.
        ATTEMPT = 2_000_000_011
        BEFORE = Log::Position.new(2_000_000_022, 2_000_000_033)
        private_constant :ATTEMPT, :BEFORE

        # The frames that a first attempt and a later one begin with. They are made here, so that they are the same bytes as other stores'.
        def self.attempts(mode)
          [Log::Frames.attempt(ATTEMPT, "reset", Log::Position::START), Log::Frames.attempt(ATTEMPT, mode, BEFORE)]
        end
      end
    end
  end
end
