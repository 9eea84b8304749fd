# frozen_string_literal: true

require_relative "redis"

module Databases
  class Valkey < Redis
    PROGRAMS = %w[valkey-server valkey-check-rdb].freeze

    # Debian 12 has none.
    def self.installed? = !Server.program(*PROGRAMS).nil?
  end
end
