# frozen_string_literal: true

module Oracle
  # One SSE frame, line by line, for text that SSE can carry. No space behind the colon of an empty value.
  module Frame
    def self.encode(data, event: nil, id: nil, retry_after: nil)
      frame = +""
      frame << field("event", event) if event
      frame << field("id", id) if id
      frame << field("retry", retry_after) if retry_after
      lines(data).each { |line| frame << field("data", line) } if data
      frame << "\n"
    end

    def self.comment(text) = "#{lines(text).map { |line| field("", line) }.join}\n"

    def self.field(name, value) = "#{name}:#{" #{value}" unless value.to_s.empty?}\n"
    private_class_method :field

    def self.lines(text)
      text.empty? ? [""] : text.split(/\r\n|\r|\n/, -1)
    end
    private_class_method :lines
  end
end
