# frozen_string_literal: true

require "test_helper"
require "json"
require "open3"
require "rbconfig"

# The examples that Faraday tests its adapters with.
class FaradayExamplesTest < Minitest::Test
  PROGRAM = File.expand_path("../support/faraday_examples.rb", __dir__)

  # The response to a HEAD has no body on the wire; WebMock's has.
  NOT_OURS = /#head behaves like a request method streaming when response contains big data handles streaming\z/

  def test_faradays_examples
    output, = Open3.capture2e("timeout", "120", RbConfig.ruby, "-Ilib", "-Itest", "-rrspec/core", "-e",
                              "exit RSpec::Core::Runner.run(%w[--format json --no-color #{PROGRAM}])")
    report = JSON.parse(output[/^\{"version".*$/] || "null")
    refute_nil report, output
    failed = report["examples"].reject { |example| example["status"] == "passed" }
    not_ours, failed = failed.partition { |example| example["full_description"].match?(NOT_OURS) }
    assert_equal 2, not_ours.size
    assert_empty failed.map { |example| "#{example["full_description"]}: #{example.dig("exception", "message") || example["status"]}" }
    assert_operator report["examples"].size, :>, 200
  end
end
