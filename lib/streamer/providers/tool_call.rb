# frozen_string_literal: true

require "streamer/providers/partial_arguments"

module Streamer
  module Providers
    # A call of one of the application's tools, while its arguments arrive.
    class ToolCall
      # Bytes of one call's arguments; EventTooLargeError beyond.
      MAX_ARGUMENTS = 16 * 1024 * 1024

      # Integer; tells the calls of one completion apart. It is the provider's own where that is unique.
      attr_reader :index

      # Strings. id is nil where the provider gives none.
      attr_reader :id, :name

      # JSON text: all that has come, and what came last. A custom tool's is text of any kind. An empty object that a server sends before the
      # arguments is replaced by them.
      attr_reader :arguments, :delta

      def initialize(index) # :nodoc:
        @index = index
        @arguments = +""
        @delta = +""
      end

      # The arguments parsed, {} where there are none. Raises InvalidJSONError while they are incomplete.
      def json
        arguments.strip.empty? ? {} : JSON.parse(arguments) || {}
      rescue JSON::ParserError => error
        raise InvalidJSONError, "the arguments of #{name} are not valid JSON: #{error.message[0, 200]}"
      end

      def inspect = "#<Streamer::Providers::ToolCall #{index} #{name} #{arguments.bytesize} bytes>"

      # --- for ToolCalls ---

      # Whether it can be shown: not before its name is known.
      def named? = !name.nil? # :nodoc:

      # Whether its arguments are one whole JSON object or array, to which nothing can be added.
      def complete? # :nodoc:
        return true if @whole
        return false unless arguments.match?(/[}\]]\s*\z/)

        JSON.parse(arguments)
        true
      rescue JSON::ParserError
        false
      end

      # Whether its arguments are an empty object: all of them, or what some servers begin with.
      def empty? = arguments == "{}" # :nodoc:

      # What has come was not the beginning of its arguments.
      def start_over # :nodoc:
        @arguments.clear
        @whole = false
      end

      # An event begins: delta is what it adds.
      def start_delta = @delta = +"" # :nodoc:

      # Takes what an event has of it, as in ToolCalls#add. Returns whether anything is new to the application.
      def grow(id: nil, name: nil, arguments: nil, whole: nil, values: nil, more: nil) # :nodoc:
        shown = named?
        whole = all_of(values, more) if values
        @id ||= id
        extend_name(name) if name
        append(whole ? rest_of(whole) : arguments) unless @whole || repeated?(arguments)
        @whole ||= !whole.nil?
        @delta = @arguments.dup if named? && !shown # all that came before
        named? && (!shown || !@delta.empty?)
      end

      private

      # Names come whole, seldom in pieces, and some servers repeat what has come; arguments come behind the whole of it.
      def extend_name(piece)
        if @name.nil? || piece.start_with?(@name) then @name = piece
        elsif arguments.empty? then @name += piece
        end
      end

      # The arguments that come value by value, once there are no more of them.
      def all_of(values, more)
        @partial ||= PartialArguments.new
        @partial.add(values)
        @partial.to_json unless more
      end

      # Some servers send a call again when it is complete.
      def repeated?(piece) = piece == @arguments && complete?

      # What is missing of the whole. Where something else has come, it is kept if it is complete.
      def rest_of(whole)
        return whole.byteslice(arguments.bytesize..) if whole.start_with?(arguments)
        return "" if complete?

        @arguments.clear
        whole
      end

      def append(piece)
        return if piece.nil?

        if @arguments.bytesize + piece.bytesize > MAX_ARGUMENTS
          raise EventTooLargeError, "the arguments of a tool call are larger than #{MAX_ARGUMENTS} bytes"
        end

        @arguments << piece
        @delta << piece
      end
    end
  end
end
