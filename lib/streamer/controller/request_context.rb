# frozen_string_literal: true

module Streamer
  module Controller
    # What a request's code takes for granted, for code of it that runs later, perhaps in another thread or fiber: CurrentAttributes,
    # I18n.locale, Time.zone, the databases of connected_to and the tags of its log lines.
    class RequestContext # :nodoc:
      def initialize
        @state = ActiveSupport::IsolatedExecutionState.context
        @attributes = ActiveSupport::CurrentAttributes.descendants.to_h { |type| [type, type.attributes.dup] }
        @locale = I18n.locale
        @zone = Time.zone
        @roles = roles.dup
        @tags = tags.dup
      end

      # Runs the block as the request goes on: with its own CurrentAttributes. With config.active_support.isolation_level = :fiber they
      # belong to the fiber of the action, and Falcon runs a body in a fiber of its own.
      def continue(&block)
        in_execution_state { localized(&block) }
      end

      # Runs the block as if it were the request's, whatever has become of it: with CurrentAttributes as they were. They are gone afterwards.
      def within(&block)
        localized { with_attributes(@attributes.to_a, &block) }
      end

      private

      def localized(&block) = I18n.with_locale(@locale) { Time.use_zone(@zone) { connected { tagged(&block) } } }

      # The calls of connected_to that are under way, as Active Record keeps them.
      def roles = defined?(::ActiveRecord::Base) ? ::ActiveRecord::Base.connected_to_stack : []

      def connected(&block) = replacing(roles, @roles, ->(list) { roles.replace(list) }, &block)

      def tags
        formatter = ::Rails.logger&.formatter if defined?(::Rails.logger)
        formatter.respond_to?(:current_tags) ? formatter.current_tags : []
      end

      def tagged(&block) = replacing(tags, @tags, method(:retag), &block)

      def retag(tags)
        ::Rails.logger.clear_tags!
        ::Rails.logger.push_tags(*tags)
      end

      # Runs the block with `ours` in the place of what is there, which `set` puts back.
      def replacing(there, ours, set)
        return yield if there == ours

        before = there.dup
        begin
          set.call(ours)
          yield
        ensure
          set.call(before)
        end
      end

      def in_execution_state
        here = ActiveSupport::IsolatedExecutionState.context
        return yield if here.equal?(@state)

        outer = here.active_support_execution_state
        here.active_support_execution_state = @state.active_support_execution_state.dup
        begin
          yield
        ensure
          here.active_support_execution_state = outer
        end
      end

      def with_attributes(left, &block)
        return yield if left.empty?

        (type, attributes), *others = left
        type.set(attributes) { with_attributes(others, &block) }
      end
    end
  end
end
