# frozen_string_literal: true

require "test_helper"

class GemFilesTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  SPEC = Gem::Specification.load(File.join(ROOT, "streamer.gemspec"))
  BUILT = /\.(o|so|bundle|a|d)\z/

  def test_every_source_of_the_extension_and_the_library_is_in_the_gem
    Dir.chdir(ROOT) do
      sources = Dir["lib/**/*", "app/**/*", "config/**/*", "sig/**/*.rbs", "ext/streamer/*/**/*.{c,h}", "ext/streamer/extconf.rb"]
                .select { |path| File.file?(path) }.grep_v(BUILT)
      assert_operator sources.size, :>, 20
      assert_empty sources - SPEC.files
    end
  end

  def test_the_gem_carries_only_files_that_a_user_needs
    elsewhere = SPEC.files.reject { |path| path.start_with?("lib/", "app/", "config/", "sig/", "ext/streamer/") }
    assert_equal %w[CHANGELOG.md LICENSE README.md], elsewhere.sort
    assert_empty SPEC.files.grep(BUILT)
  end

  def test_the_gem_has_no_dependency_at_run_time
    assert_empty SPEC.runtime_dependencies
  end

  def test_the_gem_is_version_of_the_library_and_needs_mfa_to_publish
    assert_equal Streamer::VERSION, SPEC.version.to_s
    assert_equal "true", SPEC.metadata["rubygems_mfa_required"]
  end
end
