# frozen_string_literal: true

# Every Ruby test begins with `require "test_helper"`: the load path, minitest, and Ruby's warnings as failures
# where this project's files cause them. Gems answer for their own.

$LOAD_PATH.unshift(File.expand_path("../lib", __dir__), __dir__)
$LOAD_PATH.uniq!

# What a fork finds in the buffer it writes, within a fiber scheduler by the scheduler's means: async's need Ruby 3.2 for that.
$stdout.sync = true

module OurWarnings
  ROOT = File.expand_path("..", __dir__) + "/"

  def warn(message, category: nil)
    return if message.start_with?(*Gem.path)
    raise message if message.start_with?(ROOT)

    super
  end
end

# A skip is for systems that lack something; bin/setup gives Linux all that the tests need, so there it hides a test that does not run.
module NoSkips
  def skip(reason = "no reason given", *)
    flunk "Skipped, which is a failure on Linux: #{reason}" if RUBY_PLATFORM.include?("linux")

    super
  end
end

Warning.singleton_class.prepend(OurWarnings)
Warning[:deprecated] = true
$VERBOSE = true

require "minitest/autorun"
Minitest::Test.prepend(NoSkips)
require "streamer"
