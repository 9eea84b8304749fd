# frozen_string_literal: true

require "test_helper"
require "streamer/testing/job_conformance"
require_relative "patience"
require_relative "queue_site"

# For the tests of a queue: the suite's methods, on a QueueSite that all tests of a class share.
module QueueCase
  LEASE = 4

  def self.included(suite)
    suite.extend(ClassMethods)
  end

  module ClassMethods
    # options: of QueueSite.
    def site(*options)
      return @site if @site || options.empty?

      queue, settings = options
      @site = Lazy.new { QueueSite.new(queue, lease: LEASE, **settings) }
    end
  end

  # Booted by the first test.
  class Lazy
    def initialize(&block) = @block = block
    def value = @value ||= @block.call.tap { |site| Minitest.after_run { site.stop } }
  end

  def site = self.class.site.value
  def work = site.work
  def lease = LEASE

  # The process that generations are begun by.
  def console = site.web

  def start(url) = console.run("start(#{url.inspect})")
  def deliver(id) = console.run("QueueApp::Answer.find(#{id}).enqueue_streaming && nil")
  def cancel(id) = console.run("QueueApp::Answer.find(#{id}).stop!")

  def look(id)
    seen = console.run("look(#{id})")
    Streamer::Testing::JobConformance::Seen.new(status: seen["status"], phase: seen["phase"], content: seen["content"], error: seen["error"],
                                                text: seen["text"], outcomes: seen["requests"].map(&:last))
  end
end
