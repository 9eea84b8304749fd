# frozen_string_literal: true

require "test_helper"
require "json"
require "zlib"
require "support/node"

# The modules as they are shipped, and as Node runs them with a clock, a page and a server of the tests' own.
class ModuleTest < Minitest::Test
  ASSETS = File.join(Node::ROOT, "app/assets/javascripts")
  PACKAGE = JSON.parse(File.read(File.join(Node::ROOT, "package.json")))
  LIMIT = 6 * 1024 # bytes

  def test_reconnections_wait_longer_each_time_spread_and_as_the_server_says_and_end_where_the_stream_does
    assert_node_tests("back_off")
  end

  def test_a_page_that_wakes_connects_anew_after_a_long_silence_and_a_cached_one_holds_no_connection
    assert_node_tests("waking")
  end

  def test_each_id_is_applied_once_gaps_are_told_and_a_new_epoch_begins_anew
    assert_node_tests("cursor")
  end

  def test_a_log_is_followed_across_attempts_gaps_and_ends
    assert_node_tests("log")
  end

  def test_broadcasts_are_shown_once_and_in_order_and_what_is_missing_is_loaded
    assert_node_tests("passages")
  end

  def test_the_module_is_smaller_than_6_kilobytes_as_it_is_shipped
    assert_operator Zlib.gzip(File.read("#{ASSETS}/streamer.js"), level: Zlib::BEST_COMPRESSION).bytesize, :<, LIMIT
  end

  def test_the_module_imports_nothing_and_the_controller_only_stimulus_and_the_module
    imports = ->(file) { File.read("#{ASSETS}/#{file}").scan(/^import .* from "(.*)"$/).flatten }

    assert_empty imports["streamer.js"]
    assert_equal %w[@hotwired/stimulus streamer-rails], imports["streamer/stimulus.js"]
    assert_empty imports["streamer/passages.js"]
    assert_equal %w[streamer-rails/passages], imports["streamer/broadcasts.js"]
    assert_equal %w[@rails/actioncable streamer-rails/broadcasts], imports["streamer/cable.js"]
  end

  def test_the_package_has_the_version_of_the_gem_and_every_file_that_it_names
    assert_equal Streamer::VERSION, PACKAGE["version"]
    PACKAGE["exports"].each_value.flat_map(&:values).each { |path| assert_path_exists File.join(Node::ROOT, path) }
    refute PACKAGE.key?("dependencies")
  end

  def test_the_types_declare_what_the_module_exports
    exports = ->(source) { source.scan(/^export (?:default )?class (\w+)/).flatten }

    %w[streamer streamer/passages streamer/broadcasts streamer/cable].each do |name|
      assert_equal exports[File.read("#{ASSETS}/#{name}.js")], exports[File.read("#{ASSETS}/#{name}.d.ts")]
    end
    names = ->(source) { source.scan(/"streamer:(\w+)"/).flatten.uniq.sort }

    assert_equal %w[done error gap message open reset state], names[File.read("#{ASSETS}/streamer.d.ts")]
  end

  private

  def assert_node_tests(name)
    output = Node.run("--test-reporter=tap", "test/browser/module/#{name}_test.mjs")

    assert_operator output[/^# pass (\d+)/, 1].to_i, :>, 10, output
    assert_match(/^# fail 0$/, output)
  end
end
