# frozen_string_literal: true

require "test_helper"
require "support/markdown"
require "support/numbers"

# What README.md says about the checkout.
class ReadmeTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  README = Markdown.new(File.join(ROOT, "README.md"))

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

  def test_numbers_are_those_of_the_last_benchmark
    path = README.path
    wanted = Numbers.text(File.read(File.join(ROOT, "benchmark/results.md")))
    File.write(path, README.source.sub(Numbers::REGION) { wanted }) if ENV["UPDATE_NUMBERS"]

    assert_equal wanted, File.read(path)[Numbers::REGION], "UPDATE_NUMBERS=1 bin/test test/docs/readme_test.rb puts them in"
  end

  private

  def top_level
    ignored = File.readlines(File.join(ROOT, ".gitignore"), chomp: true).map { |line| line.delete_prefix("/").chomp("/") }
    Dir.children(ROOT).reject { |name| name == ".git" || ignored.any? { |pattern| File.fnmatch?(pattern, name) } }
  end
end
