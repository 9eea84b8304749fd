# frozen_string_literal: true

require_relative "log/position"
require_relative "log/entry"
require_relative "log/frames"
require_relative "log/batch"
require_relative "log/piece"
require_relative "log/append"
require_relative "log/head"
require_relative "stores"

module Streamer
  class Log
    class << self
      # Where logs are kept: a store, see Stores.
      attr_accessor :store
    end
  end
end
