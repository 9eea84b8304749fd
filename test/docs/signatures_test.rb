# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"

# sig/ says what the public API takes and returns: by itself without contradiction, and as the tests use it.
class SignaturesTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  # At least one file for each public class that a test can call without a Rails server.
  FILES = %w[upstream/api upstream/headers decode/decoder extract/extractor pipeline/pipeline encode/encoder providers/providers
             testing/assertions].freeze

  # Tests that pass what is wrong, which the signatures say first; that look at an Enumerator twice, as rbs does to know its elements;
  # and that measure time.
  EXCEPT = /wrong_arguments|only_strings_are_bytes|limits_are_positive|each_value_takes|a_call_waits_for|ways_to_read|linear_time|allocat/

  def test_the_signatures_are_valid
    output, status = Open3.capture2e("bundle", "exec", "rbs", "-I", "sig", "validate", chdir: ROOT)
    assert_predicate status, :success?, output
  end

  def test_the_tests_use_the_library_as_the_signatures_say
    environment = { "RBS_TEST_TARGET" => "Streamer,Streamer::*", "RBS_TEST_OPT" => "-r json -I sig", "RBS_TEST_LOGLEVEL" => "fatal",
                    "RBS_TEST_RAISE" => "true", "RBS_TEST_SAMPLE_SIZE" => "5",
                    "RUBYOPT" => "-rbundler/setup -rrbs/test/setup" }
    output, status = Open3.capture2e(environment, "timeout", "240", RbConfig.ruby, "-Itest", "-Ilib", "-e", <<~RUBY, chdir: ROOT)
      ARGV.replace(["-n", "/\\\\A(?!.*(?:#{EXCEPT.source}))/"])
      #{FILES.inspect}.each { |file| require File.expand_path("test/\#{file}_test.rb") }
    RUBY
    assert_predicate status, :success?, output.lines.grep_v(%r{\A\s+(?:/|tmp/bundle)}).last(80).join
    assert_operator output[/^(\d+) runs,/, 1].to_i, :>, 100
  end
end
