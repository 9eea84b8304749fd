# frozen_string_literal: true

module Streamer
  module Testing
    # For ActionDispatch::SystemTestCase, which has it already: when a test is over and its pages are gone, so are its streams. None holds
    # a thread, a database connection or an upstream into the next test.
    module System
      def after_teardown # :nodoc:
        super
      ensure
        Testing.close_streams
      end
    end
  end
end
