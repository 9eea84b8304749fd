# frozen_string_literal: true

module Streamer
  module Sinks
    class Events
      # What Events#turbo_stream returns: Turbo's tag builder, whose every tag is written as an event.
      class TurboStream # :nodoc:
        FIELDS = %i[id retry].freeze
        private_constant :FIELDS

        def initialize(events, controller, fields)
          wrong = fields.keys - FIELDS
          raise ArgumentError, "an event with a Turbo Stream action has only #{FIELDS.join(" and ")}; got #{wrong.first}:" if wrong.any?
          raise Error, "events.turbo_stream needs turbo-rails in the Gemfile" unless defined?(::Turbo::Streams::TagBuilder)
          raise Error, "events.turbo_stream renders views, which #{controller.class} has none of" unless controller.respond_to?(:view_context)

          @events = events
          @fields = fields
          # A view of its own: several threads may render at once.
          @builder = ::Turbo::Streams::TagBuilder.new(controller.view_context)
        end

        def method_missing(name, ...)
          return super unless @builder.respond_to?(name)

          @events.write(@builder.public_send(name, ...).to_s, **@fields)
          self
        end

        def respond_to_missing?(name, include_private = false) = @builder.respond_to?(name) || super
      end
    end
  end
end
