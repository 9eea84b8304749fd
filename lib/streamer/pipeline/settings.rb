# frozen_string_literal: true

module Streamer
  class Pipeline
    # A Pipeline's options, checked and in the form that C takes. A controller's action makes pipelines of the same options for each of its
    # requests, so those that were used last are kept.
    class Settings # :nodoc:
      FRAMES = %i[json text raw].freeze
      RAW_FORMATS = [nil, :sse, :sniffed].freeze
      MAX_KEPT = 64
      MAX_ID = 2**63

      @kept = {}

      # options: as given to Pipeline.new; and reserved, where frames are entries of a log: the types of events that the log uses itself, an
      # Array of frozen Strings. From any thread.
      def self.of(options)
        @kept[options] || new(**options).tap do |settings|
          @kept = {} if @kept.size >= MAX_KEPT
          @kept[options.dup.freeze] = settings
        end
      end

      attr_reader :format, :kept_names

      # What Pipeline's setup takes.
      attr_reader :compiled

      def initialize(format: nil, value: nil, from: nil, event: nil, id_prefix: nil, id_start: 1, done: :optional, error: "error", frame: :json,
                     keep: {}, collect: nil, max_line: nil, max_event: nil, reserved: nil)
        paths = paths_of(value)
        check(frame, format, paths, keep)
        check_id(id_start)
        @format = format
        @collects = !collect.nil?
        @values = paths.any? || keep.any?
        @kept_names = keep.keys.freeze
        @compiled = { format:, frame:, collect:, max_line:, max_event:, markers: Decoder::Markers.options(done, error),
                      paths: strings(paths.values), names: strings(paths.keys), kept: strings(keep.values),
                      from: from && strings(Array(from)), event: event && utf8(event), id_prefix: id_prefix && utf8(id_prefix),
                      id_after: id_start - 1, reserved: reserved }.freeze
      end

      def collects? = @collects

      # Whether values are looked for, which text has not.
      def values? = @values

      private

      def paths_of(value)
        paths = value.is_a?(Hash) ? value : Array(value).to_h { |path| [Extractor.name_of(utf8(path)), path] }
        raise ArgumentError, "two values have the same name; give a Hash of name => path" if paths.size < Array(value).size

        paths
      end

      def check(frame, format, paths, keep)
        raise ArgumentError, "frame must be one of #{FRAMES.join(", ")}; got #{frame.inspect}" unless FRAMES.include?(frame)
        raise ArgumentError, "frame: :text needs exactly one path; got #{paths.size}" if frame == :text && paths.size != 1
        raise ArgumentError, "frame: :raw needs format: :sse; got #{format.inspect}" if frame == :raw && !RAW_FORMATS.include?(format)
        raise ArgumentError, "keep must be a Hash of name => path; got #{keep.inspect}" unless keep.is_a?(Hash)
        return unless format == :text && (paths.any? || keep.any?)

        raise ArgumentError, "text has no values: format: :text does not go with value: or keep:"
      end

      def check_id(start)
        return if start.is_a?(Integer) && start.positive? && start < MAX_ID

        raise ArgumentError, "id_start is the first frame's number, an Integer from 1 on; got #{start.inspect}"
      end

      def strings(values) = values.map { |value| utf8(value) }

      def utf8(string) = Encoder.utf8(string.to_s).dup.freeze
    end
    private_constant :Settings
  end
end
