# frozen_string_literal: true

require_relative "source"

module Streamer
  module Upstream # :nodoc:
    # The loop of Streamer.merge and Streamer.gather: reads several sources side by side, waits once for all of them, and yields what they
    # hand over. No thread is started, whatever their number.
    class Multiplexer # :nodoc:
      # sources: pairs of name and source. limit: how many are open at once; the others follow in their order. on_error: :raise or :yield.
      # progress: anything with call(progress, name, error), for each source that has ended.
      def initialize(sources, limit: nil, on_error: :raise, progress: nil)
        @sources = checked(sources)
        unless limit.nil? || (limit.is_a?(Integer) && limit.positive?)
          raise ArgumentError, "limit is how many sources are open at once, or nil; got #{limit.inspect}"
        end
        raise ArgumentError, "on_error is :raise or :yield; got #{on_error.inspect}" unless %i[raise yield].include?(on_error)
        raise ArgumentError, "progress must respond to #call (got #{progress.class})" unless progress.nil? || progress.respond_to?(:call)

        @limit = limit || @sources.size
        @raises = on_error == :raise
        @progress = progress
      end

      # work: called with a source and a Proc that hands a value over, in a fiber of the source's own. Yields (name, value), and with
      # on_error: :yield (name, Streamer::Error) for a source that failed. Leaving the block any way but to its end cancels what is open.
      def each(work, &block)
        @work = work
        @group = Group.new
        @open = {}     # key => Source
        @sleeping = [] # those of them that want to be resumed without notifications, the earliest first
        @started = @done = 0
        start(&block)
        iterate(&block) until @open.empty?
      ensure
        @open&.each_value(&:abandon)
      end

      private

      def checked(sources)
        raise ArgumentError, "sources are a Hash of name => source; got #{sources.class}" unless sources.respond_to?(:each_pair)

        sources.each_pair.to_a.each do |name, source|
          next if source.respond_to?(:call) || source.respond_to?(:each_event)

          raise ArgumentError, "the source #{name} is a Request, a Response, or anything with call; got #{source.class}"
        end
      end

      def iterate(&block)
        source = @open[@group.wait(time_left)] # nil for one that has ended since
        advance(source, &block) if source
        advance(@sleeping.first, &block) while !@sleeping.empty? && @sleeping.first.due <= Clock.now
        start(&block)
      end

      def time_left = @sleeping.empty? ? nil : [@sleeping.first.due - Clock.now, 0].max

      def start(&block)
        while @started < @sources.size && @open.size < @limit
          name, given = @sources[@started]
          source = Source.new(name, @group, @started) { |emit| @work.call(given, emit) }
          @open[@started] = source
          @started += 1
          advance(source, &block)
        end
      end

      # Resumes a source, for as long as it hands values over.
      def advance(source, &block)
        @sleeping.delete(source) if source.due
        while (result = source.resume).is_a?(Array)
          yield source.name, result.first
        end
        if result
          finish(source, (result unless result == :ended), &block)
        elsif source.due
          @sleeping.insert(@sleeping.bsearch_index { |other| other.due > source.due } || @sleeping.size, source)
        end
      end

      def finish(source, error)
        raise error if error && @raises

        @open.delete(source.key)
        source.abandon
        @done += 1
        yield source.name, error if error
        @progress&.call({ done: @done, total: @sources.size }, source.name, error)
      end
    end
  end
end
