# frozen_string_literal: true

require_relative "follow_action"

module Streamer
  module Controller
    # A browser that follows a generation by Turbo's own element: what the log says, as Turbo Stream actions on the text, and at the end the
    # record's state, rendered, and the removal of the element, which would come back otherwise. The request's fiber or thread renders, and waits.
    class FollowGeneration < FollowAction # :nodoc:
      def initialize(controller, generation, *arguments, **options)
        super(controller, *arguments, **options)
        @generation = generation
        @partial = generation.class.text_broadcasts&.partial
      end

      private

      def detachable? = false

      def translate(frames)
        entries = Log::Followers::Pull.entries(frames).select(&:position)
        return frames if entries.empty? # Turbo hears no events that have a name

        passage = Generation::Broadcasts::Passage.new(@positions.first, entries)
        @positions = [passage.through]
        Encoder.encode(actions(passage).join, id: passage.through.to_s)
      ensure
        Sinks::ConnectionPools.release
      end

      def actions(passage)
        actions = Generation::Broadcasts::Actions
        text = actions.text(@generation, passage, @partial) if passage.text?
        return [text] unless passage.close

        @generation.settle
        [text, actions.state(@generation), actions.remove_source(@generation)]
      end
    end
  end
end
