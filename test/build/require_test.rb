# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"

class RequireTest < Minitest::Test
  LIB = File.expand_path("../../lib", __dir__)

  def test_requiring_streamer_loads_neither_rails_nor_rack_nor_async_nor_faraday_nor_the_test_kit
    loaded, status = Open3.capture2e(RbConfig.ruby, "-I", LIB, "-r", "streamer", "-e", "puts $LOADED_FEATURES")
    assert_predicate status, :success?, loaded
    loaded.gsub!(File.dirname(LIB), "")
    assert_empty loaded.lines.grep(%r{/(rails|railties|rack|async|action_\w+|active_support|faraday|streamer/testing)[./-]})
  end
end
