# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "support/rails_app"

class RailtieTest < Minitest::Test
  def test_the_applications_configuration_reaches_the_controllers
    assert_equal 12, Streamer::Controller.heartbeat
  end

  def test_the_initializers_have_names
    assert_equal %w[streamer.deprecator streamer.mimetype streamer.statuses streamer.config streamer.log streamer.executor
                    streamer.test_assertions],
                 Streamer::Railtie.initializers.map(&:name)
  end

  def test_without_rails_nothing_of_it_is_loaded
    script = 'require "streamer"; print [defined?(Rails), defined?(ActiveSupport), defined?(Streamer::Railtie)].inspect'
    out, status = Open3.capture2e(RbConfig.ruby, "-I#{File.expand_path("../../lib", __dir__)}", "-e", script)

    assert_predicate status, :success?, out
    assert_equal "[nil, nil, nil]", out
  end
end
