# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # What a broadcast says: a range of the log, from behind `after` through `through`. A reader that has come to `after` adds it; every other
      # sees by the two that something is missing, or that it has it already. What begins anew (mode "reset") takes the place of all there was.
      class Passage # :nodoc:
        # Entries in one: whoever is further behind gets several.
        LIMIT = 500

        # The next one; nil where there is nothing behind the position yet.
        def self.read(log, after)
          entries = log.entries(after: after, limit: LIMIT)
          new(after, entries) unless entries.empty?
        end

        # The one that an attempt begins with, whose own first entry says what it follows on.
        def self.of_attempt(log, epoch)
          entries = log.entries(after: Log::Position.new(epoch, 0).before, limit: LIMIT)
          return if entries.empty?

          from = entries.first.json["from"]
          new(from ? Log::Position.parse(from) : Log::Position::START, entries)
        end

        attr_reader :after, :content

        def initialize(after, entries)
          @after = after
          @entries = entries
          @content = +""
          @events = []
          entries.each { |entry| add(entry) }
        end

        def through = @entries.last.position

        # Where the text ends: before the close, where that is in it.
        def text_through = close ? close.position.before : through

        def close = (@entries.last if @entries.last.kind == :close)

        def reset? = @reset == true

        # Whether it is more than a close.
        def text? = reset? || text_through > after

        # Whether more may be behind it.
        def full? = @entries.size == LIMIT

        def to_h
          { after: after.to_s, through: through.to_s, mode: reset? ? "reset" : "continue", content: content,
            events: @events.map { |entry| { id: entry.id, event: entry.type, data: entry.data } } }
        end

        private

        def add(entry)
          said = entry.json if %i[attempt gap].include?(entry.kind)
          begin_anew if said && said["mode"] != "continue"
          text = entry.kind == :gap ? said["content"] : Log::Compactor.text_of_entry(entry)&.force_encoding(Encoding::UTF_8)
          text ? @content << text : @events << entry
        end

        def begin_anew
          @reset = true
          @content.clear
          @events.clear
        end
      end
    end
  end
end
