# frozen_string_literal: true

require "streamer/providers/tool_call"

module Streamer
  module Providers
    # The tool calls of one completion, put together from the parts that its events have.
    #
    # Neither ids nor indexes can be trusted alone: servers repeat them, leave them out, send them late, or give one to two calls. So a part
    # belongs to the call that has had its id, else to the last one at its index, unless something shows that another call begins: a new id
    # together with a name, another name behind arguments, or arguments behind complete ones.
    class ToolCalls # :nodoc:
      # index: the provider's. ids: what it calls it by, all of them. id: the one that the application needs.
      # name: nil where it is not said, "" where it is said to be unknown yet.
      # The others as in `add`.
      Part = Struct.new(:index, :ids, :id, :name, :arguments, :whole, :values, :more, :opaque, :begins, keyword_init: true) do
        def name? = !name.to_s.empty?

        def anonymous? = ids.empty? && name.nil?

        def arguments? = !(whole || arguments).to_s.empty?

        # Whether its arguments are the beginning of JSON.
        def opens? = !opaque && (whole || arguments).to_s.match?(/\A\s*[{\[]/)

        # Whether its arguments say what complete ones do.
        def repeats?(complete)
          whole ? JSON.parse(whole) == JSON.parse(complete) : arguments == complete
        end
      end
      private_constant :Part

      # What stands for no id: Mistral sends "null".
      NO_ID = ["", "null"].freeze
      private_constant :NO_ID

      def initialize
        @calls = []
        @by_id = {}    # the last call that had this id
        @by_index = {} # or this index
        @announced = {}.compare_by_identity # calls that are complete => the name that has come again since
      end

      # Those whose names are known.
      def to_a = @calls.select(&:named?)

      # Takes what one event has of tool calls, Hashes, and returns the calls of which it has something new. In a Hash everything may be
      # missing or null:
      #
      # index: an Integer or anything else that tells calls apart. id: the call's; key: another id that the provider's events have.
      # name: a String. arguments: a String, a piece of their JSON; or a Hash, all of them. whole: all of their JSON.
      # values: some of them, as in PartialArguments; more: whether others follow.
      # opaque: true where the arguments may be any text, or calls are told apart without them.
      # begins: true where another call begins in any case, or, without a name, something that is none.
      def add(parts)
        changed = {}.compare_by_identity
        parts.each do |part|
          part = part_of(**part)
          call = find(part) || start(part)
          learn(call, part)
          @announced[call] = part.name if part.name? && !part.arguments? && call.complete?
          call.start_delta unless changed.key?(call)
          changed[call] |= call.grow(id: part.id, name: (part.name if part.name?), **part.to_h.slice(:arguments, :whole, :values, :more))
        end
        changed.select { |_, new| new }.keys
      end

      private

      def part_of(index: nil, id: nil, key: nil, name: nil, arguments: nil, whole: nil, **others)
        id, key = [id, key].map { |text| text.to_s unless NO_ID.include?(text.to_s.strip) }
        whole = JSON.generate(arguments) unless arguments.nil? || arguments.is_a?(String)
        Part.new(index: index.is_a?(String) ? Integer(index, 10, exception: false) : index,
                 ids: [key, id].compact, id: id, name: (name if name.is_a?(String)),
                 arguments: (arguments if arguments.is_a?(String)), whole: (whole unless whole == ""), **others)
      end

      # The call that a part continues; nil if it begins one.
      def find(part)
        call = with_id(part)
        another = call && another_with_id?(call, part)
        if call.nil? && !part.begins
          call = at_index(part)
          another = call && another_at_index?(call, part)
        end
        return call unless another
        return call.tap(&:start_over) if call.empty? && part.name.nil? && part.arguments? && !@announced.key?(call)

        part.name = @announced[call] unless part.name?
        nil
      end

      def with_id(part)
        call = @by_index[part.index]
        call && part.ids.include?(call.id) ? call : @by_id.values_at(*part.ids).compact.first
      end

      def at_index(part)
        return @calls.last if part.index.nil?

        # Some servers count on with every piece of the arguments.
        @by_index[part.index] || (@calls.last if part.anonymous? && !@calls.last&.complete?)
      end

      def another_with_id?(call, part)
        return restarts?(call, part) if !part.name? || !call.named? || part.name == call.name

        call.complete? || moved?(call, part)
      end

      def another_at_index?(call, part)
        return true if part.ids.any? && call.id && call.named? && part.name # a new id alone may be one that is made up for every piece
        return restarts?(call, part) if !part.name? || !call.named? || part.name == call.name

        !call.arguments.empty?
      end

      # Whether the part has arguments of another call, since those of this one are complete.
      def restarts?(call, part) = part.opens? && call.complete? && !part.repeats?(call.arguments)

      def moved?(call, part) = !part.index.nil? && !@by_index[part.index].equal?(call)

      def start(part)
        indexes = @calls.map(&:index)
        index = part.index if part.index.is_a?(Integer) && !indexes.include?(part.index)
        ToolCall.new(index || ((indexes.max || -1) + 1)).tap { |call| @calls << call }
      end

      def learn(call, part)
        part.ids.each { |id| @by_id[id] = call } if call.id.nil? || part.name?
        @by_index[part.index] = call unless part.index.nil?
      end
    end
  end
end
