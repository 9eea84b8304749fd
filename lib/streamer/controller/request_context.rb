# frozen_string_literal: true

module Streamer
  module Controller
    # What a request's code takes for granted and a callback that runs later, in another thread, would not find: CurrentAttributes,
    # I18n.locale and Time.zone.
    class RequestContext # :nodoc:
      def initialize
        @attributes = ActiveSupport::CurrentAttributes.descendants.to_h { |type| [type, type.attributes.dup] }
        @locale = I18n.locale
        @zone = Time.zone
      end

      # Runs the block in them; they are gone afterwards.
      def within(&block)
        I18n.with_locale(@locale) { Time.use_zone(@zone) { with_attributes(@attributes.to_a, &block) } }
      end

      private

      def with_attributes(left, &block)
        return yield if left.empty?

        (type, attributes), *others = left
        type.set(attributes) { with_attributes(others, &block) }
      end
    end
  end
end
