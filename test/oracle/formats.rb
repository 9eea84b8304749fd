# frozen_string_literal: true

require "json"

require_relative "utf8"

module Oracle
  # What a whole body of each format holds, the slow way: an Array of the events' data; of text, the characters.
  module Formats
    BLANK = /\A[ \t\r\n]+|[ \t\r\n]+\z/

    # NDJSON (JSON Lines).
    def self.ndjson(bytes) = UTF8.decode(bytes).split("\n").map { |line| line.gsub(BLANK, "") }.reject(&:empty?)

    # A JSON array's elements, or the document: parsed, since they may be written in several ways.
    def self.json(bytes)
      document = JSON.parse(UTF8.decode(bytes), max_nesting: false)
      document.is_a?(Array) ? document : [document]
    end

    def self.text(bytes) = UTF8.decode(bytes)
  end
end
