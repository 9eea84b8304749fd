# frozen_string_literal: true

require "test_helper"
require "support/markdown"

# Where the documents lead, and what they tell a reader to type.
class LinksTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  FILES = Dir[File.join(ROOT, "{*,docs/*,demo/*}.md")].sort.map { |path| Markdown.new(path) }

  # Package managers of other systems, and programs that a reader brings.
  ELSEWHERE = %w[curl dnf apk brew].freeze

  FILES.each do |file|
    name = file.path.delete_prefix("#{ROOT}/")

    define_method("test_links_of_#{name}") do
      file.links.grep_v(/\Ahttps?:/).each do |target|
        path, anchor = target.split("#", 2)
        linked = path.empty? ? file.path : File.expand_path(path, File.dirname(file.path))
        assert_path_exists linked, "#{name}: #{target} leads nowhere"
        assert_includes Markdown.new(linked).anchors, anchor, "#{name}: #{target}" if anchor
      end
    end

    define_method("test_commands_of_#{name}") do
      commands(file).each do |line, (command, *words)|
        assert known?(command), "#{file.path}:#{line}: no such command: #{command}"
        next unless command.start_with?("bin/", "test/")

        source = File.read(File.join(ROOT, command))
        words.grep(/\A--\w/).each { |option| assert_includes source, option[/\A--[\w-]+/], "#{file.path}:#{line}" }
      end
    end
  end

  def test_the_guide_to_testing_names_every_directory_of_tests
    named = File.read(File.join(ROOT, "docs/testing.md")).scan(%r{`(test/\w+)`}).flatten
    directories = Dir[File.join(ROOT, "test/*/**/*")].filter_map { |path| path[%r{\A#{ROOT}/(test/\w+)/}, 1] }.uniq

    assert_empty directories - named
  end

  private

  # [line, words] of each line to type: those of sh blocks, but for what getting_started_test.rb types, and lines that stand alone and begin
  # with a script of ours.
  def commands(file)
    typed = file.blocks.select { |block| block.language == "sh" && !%w[typed served].include?(block.harness) }.flat_map do |block|
      block.text.lines.each.with_index(block.line).map { |text, line| [line, text] }
    end
    typed += file.source.lines.each.with_index(1).filter_map { |text, line| [line, text] if text.match?(%r{\A    (bin|test)/\w}) }
    typed.map { |line, text| [line, text.sub(/\s#.*/, "").split.drop_while { |word| word.include?("=") }] }
         .reject { |_, words| words.empty? || words.first.start_with?("#") }
  end

  def known?(command)
    return File.executable?(File.join(ROOT, command)) if command.include?("/")

    ELSEWHERE.include?(command) || ENV["PATH"].split(File::PATH_SEPARATOR).any? { |directory| File.executable?(File.join(directory, command)) }
  end
end
