# frozen_string_literal: true

require_relative "event_stream"
require_relative "frame"
require_relative "json_path"

module Oracle
  # The three in one: a whole stream in, all frames out.
  module Pipeline
    # `paths` as an Array, or nil for events that pass through. `frame`: :text for the first path's characters instead of an object.
    def self.run(bytes, paths: nil, event: nil, done: nil, frame: :json)
      EventStream.new(bytes).events.map do |incoming|
        next "" if done && incoming.data == done
        next pass(incoming) unless paths
        next "" unless content?(incoming)

        found = paths.to_h { |path| [JSONPath.name(path), JSONPath.find(incoming.data, path, strings: true)] }
        found.reject! { |_, value| value.equal?(JSONPath::MISSING) || value.nil? }
        found.empty? ? "" : Frame.encode(frame == :text ? characters(found.values.first) : JSON.generate(found), event: event)
      end.join
    end

    # Whether there is more to it than to keep the connection alive.
    def self.content?(event)
      alone = event.data[/\A\s*{\s*"type"\s*:\s*"([\w-]+)"\s*}\s*\z/, 1]
      [event.type, alone].none?(/\A[-_]*(?:ping|heartbeat|keep[-_]*alive)[-_]*\z/i) && !event.data.strip.empty?
    end
    private_class_method :content?

    def self.pass(event)
      Frame.encode(event.data, event: (event.type unless event.type == "message"), id: (event.id unless event.id.empty?))
    end
    private_class_method :pass

    def self.characters(value) = value.is_a?(String) ? value : JSON.generate(value)
    private_class_method :characters
  end
end
