# frozen_string_literal: true

require "test_helper"
require "support/markdown"

# What README.md says about the checkout.
class ReadmeTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  README = Markdown.new(File.join(ROOT, "README.md"))
  RESULTS = File.join(ROOT, "benchmark/results.md")

  # The paths of the tree, top level first.
  def self.tree
    block = README.blocks.find { |candidate| candidate.harness == "tree" }
    above = []
    block.text.lines.drop(1).map do |line|
      branch, name = line.match(/\A([│ ├└─]+)(\S+)/).captures
      depth = branch.length / 4
      above = [*above.first(depth - 1), name]
      File.join(above)
    end
  end

  def test_every_path_of_the_tree_exists
    missing = self.class.tree.reject { |path| File.exist?(File.join(ROOT, path)) }

    assert_empty missing
  end

  def test_the_tree_names_every_entry_at_the_top
    named = self.class.tree.map { |path| path.split("/").first }.uniq

    assert_empty top_level - named
  end

  def test_the_tree_names_every_layer
    layers = Dir[File.join(ROOT, "ext/streamer/*/"), File.join(ROOT, "lib/streamer/*/")].map { |path| path.delete_prefix("#{ROOT}/").chomp("/") }

    refute_empty layers
    assert_empty layers - self.class.tree
  end

  def test_every_guide_is_linked
    guides = Dir[File.join(ROOT, "docs/*.md")].map { |path| "docs/#{File.basename(path)}" }

    assert_empty guides - README.links
  end

  # A number in README.md is a row of the file that bin/bench writes, copied.
  def test_numbers_are_rows_of_the_results
    section = README.source[/<!-- numbers.*?-->(.*)<!-- \/numbers -->/m, 1]
    refute_nil section
    rows = section.lines.grep(/^\|/)
    return assert_includes section, "bin/bench" if rows.empty?

    assert_empty rows - File.readlines(RESULTS)
  end

  private

  def top_level
    ignored = File.readlines(File.join(ROOT, ".gitignore"), chomp: true).map { |line| line.delete_prefix("/").chomp("/") }
    Dir.children(ROOT).reject { |name| name == ".git" || ignored.any? { |pattern| File.fnmatch?(pattern, name) } }
  end
end
