# frozen_string_literal: true

require "test_helper"
require "streamer/testing/store_conformance"

class MemoryStoreTest < Minitest::Test
  include Streamer::Testing::StoreConformance

  def new_store
    @now = 1000.0
    Streamer::Stores::Memory.new(clock: -> { @now })
  end

  def advance(seconds) = @now += seconds
end
