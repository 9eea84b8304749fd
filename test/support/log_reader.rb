# frozen_string_literal: true

require "streamer"

# What a page does with a log's frames: it keeps the text, and objects to whatever is doubled, out of order or missing without being told.
#
#   reader = LogReader.new(after)          # a Position
#   reader.take(frames)                    # bytes, or Entries
#   reader.text; reader.position; reader.state; reader.events; reader.gaps
class LogReader
  Objection = Class.new(StandardError)

  attr_reader :text, :position, :state, :events, :gaps, :notices

  # text: what the page has up to the position.
  def initialize(after = Streamer::Log::Position::START, text: "")
    @position = after
    @text = +text
    @events = []
    @notices = []
    @gaps = 0
  end

  def take(frames)
    entries = frames.is_a?(String) ? Streamer::Log::Followers::Pull.entries(frames) : Array(frames)
    entries.each { |entry| take_entry(entry) }
    self
  end

  private

  def take_entry(entry)
    raise Objection, "#{entry.inspect} behind the close" if state
    return @notices << entry.json["phase"] if entry.position.nil?

    entry.kind == :gap ? fill(entry.json) : advance(entry)
    @position = entry.position
  end

  def fill(gap)
    @gaps += 1 unless gap["mode"]
    @text = +"" unless gap["mode"]
    @text << gap["content"]
    @told = true
    @events.concat(gap.fetch("events", []).map { |event| event["id"] })
  end

  def advance(entry)
    check_order(entry)
    case entry.kind
    when :attempt then @text = +"" if entry.json["mode"] == "reset"
    when :close then @state = entry.state
    when :data
      data = entry.data.start_with?("{") ? entry.json : {}
      data.key?("content") ? @text << data["content"] : @events << entry.id
    end
    @told = false
  end

  def check_order(entry)
    place = entry.position
    return if place == position.next
    return if place > position && place.sequence.zero? && (entry.json["mode"] == "reset" || entry.json["from"] == position.to_s)
    return if @told && place > position && place.epoch == position.epoch && place == position.next

    raise Objection, "#{entry.inspect} after #{position}"
  end
end
