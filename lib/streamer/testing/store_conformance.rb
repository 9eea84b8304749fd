# frozen_string_literal: true

require "securerandom"
require "streamer"
require_relative "store_conformance/support"
require_relative "store_conformance/creation"
require_relative "store_conformance/claims"
require_relative "store_conformance/appends"
require_relative "store_conformance/payloads"
require_relative "store_conformance/reads"
require_relative "store_conformance/texts"
require_relative "store_conformance/leases"
require_relative "store_conformance/stops"
require_relative "store_conformance/retention"
require_relative "store_conformance/wakes"
require_relative "store_conformance/concurrency"
require_relative "store_conformance/outages"

module Streamer
  module Testing
    # What a store of logs has to do, as tests: one for each rule of Stores, with a name that says it. For minitest:
    #
    #   require "streamer/testing/store_conformance"
    #
    #   class MyStoreTest < Minitest::Test
    #     include Streamer::Testing::StoreConformance
    #
    #     def new_store = MyStore.new(...)          # fresh, with no log in it
    #     def second_store = MyStore.new(...)       # another process's view of the same logs
    #   end
    #
    # Further methods that a store's test may define:
    #
    #   second_store           another object that has the same logs, as another process would have them; unless defined, the store itself
    #   advance(seconds)       moves the store's clock, where a test can; unless defined, leases of a fifth of a second are waited for
    #   unreachable_store      a store whose database is away; unless defined, what a store does then is not tested
    #   patience               seconds within which what has to happen happens: 10
    #
    # The tests make logs with random keys and leave them behind.
    module StoreConformance
      include Support
      include Creation
      include Claims
      include Appends
      include Payloads
      include Reads
      include Texts
      include Leases
      include Stops
      include Retention
      include Wakes
      include Concurrency
      include Outages
    end
  end
end
