# frozen_string_literal: true

require_relative "support/frames"
require_relative "support/parts_stage"
require_relative "parts/log/from_worker"
require_relative "parts/log/one_log"
require_relative "parts/log/idle_readers"
require_relative "parts/log/reload"
require_relative "parts/log/statements"
require_relative "parts/log/stopping"

module Bench
  # Logs: from a worker through a database to the browsers of a web server, beside Action Cable on the same databases. --only takes names
  # of stores, too.
  class Log < PartsStage
    PARTS = [FromWorker, OneLog, IdleReaders, Reload, Statements, Stopping].freeze

    STORES = LogContenders::ALL.map(&:store).uniq.freeze

    def self.names = super + STORES

    # Of all contenders.
    def check = Sites.open { |sites| build(FromWorker, nil).check(sites) }

    private

    def chosen
      parts = only - STORES
      parts.empty? ? self.class::PARTS : self.class::PARTS.select { |part| parts.include?(part::NAME) }
    end

    def build(part, report)
      stores = only & STORES
      part.new(report, stores: stores.empty? ? STORES : stores, rounds: @size.relay_rounds || 1, reduced: !@size.long_relay)
    end
  end
end
