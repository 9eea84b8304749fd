# frozen_string_literal: true

require "active_support/concern"
require "erb"
require "set"
require_relative "broadcasts/passage"
require_relative "broadcasts/feed"
require_relative "broadcasts/throttle"
require_relative "broadcasts/actions"
require_relative "broadcasts/turbo_streams"
require_relative "broadcasts/cable"
require_relative "broadcasts/settings"

module Streamer
  module Generation
    # A generation's text to pages that do not follow its log themselves: docs/generations.md#broadcasts.
    module Broadcasts
      extend ActiveSupport::Concern

      THROTTLE = Throttle.new
      private_constant :THROTTLE

      included do
        class_attribute :text_broadcasts, instance_accessor: false
      end

      # What a model gets.
      module ClassMethods
        # Broadcasts the text while it is made, and the partial of the state when that is final, ai_generations/_completed for one.
        #
        #   broadcasts_text                                 # to turbo_stream_from generation: what is new is appended
        #   broadcasts_text partial: "ai_generations/text"  # the partial, with `text`, replaces what there is
        #   broadcasts_text over: :cable                    # to Streamer::GenerationChannel, as JSON; or %i[turbo cable]
        #
        # every: seconds between two; the first is at once, and the last comes before the final state.
        def broadcasts_text(over: :turbo, partial: nil, every: 0.1)
          self.text_broadcasts = Settings.new(over: over, every: every, partial: partial)
        end
      end

      # What the attempt of this writer stores is broadcast from now on.
      def broadcast_from(writer) # :nodoc:
        settings = self.class.text_broadcasts or return
        feed = @text_feed = Feed.new(self, settings, epoch: writer.epoch)
        THROTTLE.notify(feed) if writer.epoch > 1 # that it begins anew, or goes on
        writer.on_stored { THROTTLE.notify(feed) }
      end

      private

      # By whoever has made the record final: with what is left where that has written it. Whatever goes wrong, the record is final.
      def broadcast_end
        settings = self.class.text_broadcasts or return
        (@text_feed || Feed.new(self, settings, after: before_close)).finish
      rescue StandardError => error
        Streamer.report(error)
      end

      # Others have said what is before it; nil where there is no log any more.
      def before_close
        log.head.position.before
      rescue UnknownLogError
        nil
      end
    end
  end
end
