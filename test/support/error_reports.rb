# frozen_string_literal: true

require "active_support"
require "active_support/error_reporter"

# What an application is told of errors that have nobody to go to.
module ErrorReports
  private

  # The errors that were reported while the block ran.
  def reported
    reports = []
    subscriber = Object.new
    subscriber.define_singleton_method(:report) { |error, **| reports << error }
    ActiveSupport.error_reporter.subscribe(subscriber)
    yield
    reports
  ensure
    ActiveSupport.error_reporter.unsubscribe(subscriber)
  end
end
