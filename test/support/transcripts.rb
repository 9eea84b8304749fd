# frozen_string_literal: true

# Parser cases as Markdown that a person can read and a test can run: a heading, a `stream` block with the bytes, and an `events`
# block with what must come out.
#
#     ## Two lines join with LF
#
#     ```stream
#     data: a\r
#     data: b
#
#     ```
#
#     ```events
#     message "a\nb" id "7"
#     last-event-id "7"
#     retry 3000
#     ```
#
# In a stream block each line ends with LF; a backslash at its end joins it to the next one. \r \n \t \0 \\ and \xNN are
# single bytes. In an events block, one line per event: its type (quoted where it is no plain word), its data, its id
# unless that is empty. The last two lines are optional: without them the last event ID is empty and no reconnection time
# was given.
module Transcripts
  Event = Struct.new(:type, :data, :id)
  Case = Struct.new(:name, :location, :bytes, :events, :last_event_id, :retry)

  ESCAPES = { "r" => "\r", "n" => "\n", "t" => "\t", "0" => "\0", "\\" => "\\" }.freeze
  SECTION = /^\#\#[ ](?<name>.+)\n
             (?:(?!^\#\#[ ]|^```).*\n)*
             ```stream\n(?<stream>(?:(?!^```).*\n)*)```\n\s*
             ```events\n(?<events>(?:(?!^```).*\n)*)```$/x

  # Every case of every file in test/fixtures/decode.
  def self.all
    Dir[File.expand_path("../fixtures/decode/*.md", __dir__)].sort.flat_map { |path| load(path) }
  end

  def self.load(path)
    source = File.read(path)
    cases = source.to_enum(:scan, SECTION).map do
      match = Regexp.last_match
      line = match.pre_match.count("\n") + 1
      build(match[:name], "#{File.basename(path)}:#{line}", match[:stream], match[:events])
    end
    headings = source.scan(/^## /).size
    raise "#{path}: #{headings} headings, #{cases.size} cases" unless cases.size == headings

    cases
  end

  def self.build(name, location, stream, expected)
    result = Case.new(name, location, bytes(stream), [], "", nil)
    expected.each_line(chomp: true) do |line|
      case line
      when /\Alast-event-id (".*")\z/ then result.last_event_id = Regexp.last_match(1).undump
      when /\Aretry (\d+)\z/ then result.retry = Integer(Regexp.last_match(1))
      when /\A(\w+|"(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")(?: id (".*"))?\z/
        type, data, id = Regexp.last_match.captures
        result.events << Event.new(type.start_with?('"') ? type.undump : type, data.undump, id ? id.undump : "")
      else raise "#{location}: cannot read #{line.inspect}"
      end
    end
    result
  end
  private_class_method :build

  def self.bytes(block)
    block.gsub("\\\n", "").b.gsub(/\\(?:x(\h\h)|(.))/n) do
      Regexp.last_match(1) ? Regexp.last_match(1).hex.chr : ESCAPES.fetch(Regexp.last_match(2)).b
    end
  end
  private_class_method :bytes
end
