# frozen_string_literal: true

require "test_helper"
require "bundler"
require "open3"
require "rack"
require "rbconfig"

# Streams in integration tests neither hang nor are buffered, whatever the Rack: the same tests in a process with each.
class RackVersionsTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  Dir["#{ROOT}/gemfiles/rack[0-9]*.gemfile"].sort.each do |gemfile|
    version = File.read(gemfile)[/"rack", "~> (\d+\.\d+)/, 1]

    define_method("test_streams_are_read_as_they_come_with_rack_#{version.tr(".", "_")}") do
      script = 'require "rack"; abort(Rack.release) unless Rack.release.start_with?(ARGV.shift); require "./test/testing/event_stream_test"'
      output, status = Bundler.with_unbundled_env do
        environment = { "BUNDLE_GEMFILE" => gemfile, "BUNDLE_PATH" => "#{ROOT}/tmp/bundle" }
        Open3.capture2e(environment, "timeout", "120", "bundle", "exec", RbConfig.ruby, "-Itest", "-Ilib", "-e", script, version, chdir: ROOT)
      end

      assert_predicate status, :success?, output
      assert_operator output[/^(\d+) runs,/, 1].to_i, :>=, 20
    end
  end

  def test_the_racks_are_those_that_the_gem_supports_beside_the_one_of_this_leg
    assert_equal "3.2", Rack.release[/\d+\.\d+/]
    assert_equal %w[rack22 rack30 rack31], Dir["#{ROOT}/gemfiles/rack[0-9]*.gemfile"].map { |path| File.basename(path, ".gemfile") }.sort
  end
end
