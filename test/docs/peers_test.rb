# frozen_string_literal: true

require "test_helper"

# docs/peers.md: each of its points is answered, and each test that it names is there.
class PeersTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  SECTIONS = File.read(File.join(ROOT, "docs/peers.md")).split(/^## /).drop(1)

  def test_the_points_are_numbered
    assert_equal [*1..20], SECTIONS.map(&:to_i)
  end

  SECTIONS.each do |section|
    define_method("test_point_#{section.to_i}") do
      references = section.scan(/^- `([^`]+)`: (.+)$/)
      assert references.any? || section.include?("Does not apply"), "neither a test nor a reason in #{section.lines.first}"
      references.each do |path, names|
        source = File.read(File.join(ROOT, path))
        tests = names.scan(/`(\w+)`/).flatten
        refute_empty tests
        assert_empty(tests.grep_v(->(name) { source.match?(/\bdef #{name}$|^static void #{name}\(/) }), "not in #{path}")
      end
    end
  end
end
