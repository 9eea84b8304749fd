# frozen_string_literal: true

# The fenced blocks of a Markdown file, each with the comment that stands in front of it:
#
#     <!-- test: controller params={"question":"Why?"} -->
#     ```ruby
#     ...
#     ```
#
# gives a Block with harness "controller" and options { "params" => { "question" => "Why?" } }; a value is JSON, or else text, and
# holds no space. `line` is the file's line with the block's first one.
class Markdown
  Block = Struct.new(:path, :line, :language, :harness, :options, :text, keyword_init: true) do
    def location = "#{File.basename(path)}:#{line}"
  end

  FENCE = /(?:^<!-- test: (?<marker>[^\n]+?) -->\n)?^```(?<language>[^\n]*)\n(?<text>.*?)^```$/m
  LINK = /(?<!!)\[[^\]]*\]\((?<target>[^)\s]+)\)|!\[[^\]]*\]\((?<target>[^)\s]+)\)/

  attr_reader :path, :source

  def initialize(path)
    @path = path
    @source = File.read(path)
  end

  def blocks
    @blocks ||= source.to_enum(:scan, FENCE).map do
      match = Regexp.last_match
      harness, *options = match[:marker].to_s.split
      Block.new(path: path, line: match.pre_match.count("\n") + match[0][/\A.*?```[^\n]*\n/m].count("\n") + 1,
                language: match[:language], harness: harness, options: options.to_h { |option| parse(option) }, text: match[:text])
    end
  end

  # Where its links and pictures lead, code left out.
  def links = prose.to_enum(:scan, LINK).map { Regexp.last_match[:target] }

  # The anchors that its headings have on GitHub.
  def anchors
    prose.scan(/^#+ (.+)$/).map { |(heading)| heading.downcase.gsub(/[^\p{Word}\- ]/, "").tr(" ", "-") }
  end

  private

  def prose = source.gsub(FENCE, "").gsub(/^    .*$/, "")

  def parse(option)
    name, value = option.split("=", 2)
    [name, JSON.parse(value)]
  rescue JSON::ParserError
    [name, value]
  end
end
