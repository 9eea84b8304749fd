# frozen_string_literal: true

require "test_helper"
require "support/markdown"
require "support/snippets"

# Every Ruby block of README.md and docs/ runs, each in the harness that the comment in front of it names
# (test/support/snippets.rb), against real servers on loopback.
class SnippetsTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  FILES = [File.join(ROOT, "README.md"), *Dir[File.join(ROOT, "docs/*.md")].sort].map { |path| Markdown.new(path) }
  HARNESSES = %w[setup script async alone controller action events config integration].freeze

  # What the guide of test/install/getting_started_test.rb shows and has a reader write and type.
  GUIDE = %w[shown written typed served].freeze

  # What a `ruby` block gives is shown in the block behind it.
  RESULTS = %w[output stream].freeze

  # Languages of blocks that are nothing to run here; what `sh` blocks name is checked in commands_test.rb.
  OTHERS = %w[sh text js html erb json nginx yaml].freeze

  FILES.each do |file|
    file.blocks.each_with_index do |block, index|
      next unless block.language == "ruby" && HARNESSES.include?(block.harness)

      define_method("test_#{block.location}") do
        setup = file.blocks.first(index).select { |other| other.harness == "setup" }
        following = file.blocks[index + 1]
        expected = following.text if following && RESULTS.include?(following.harness)
        assert_predicate Snippets.run(block, setup, expected), :assertive?, "#{block.location} asserts nothing"
      end
    end
  end

  def test_no_block_is_forgotten
    FILES.flat_map(&:blocks).each do |block|
      if block.language == "ruby"
        assert_includes HARNESSES + GUIDE, block.harness, "#{block.location} has no harness"
      else
        assert_includes OTHERS, block.language, "#{block.location} is in no language that is known here"
      end
    end
  end

  def test_every_result_follows_what_gives_it
    FILES.each do |file|
      file.blocks.each_cons(2) do |block, result|
        next unless RESULTS.include?(result.harness)

        assert_equal "ruby", block.language, "#{result.location} follows nothing that runs"
      end
    end
  end
end
