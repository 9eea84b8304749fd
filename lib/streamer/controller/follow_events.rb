# frozen_string_literal: true

require_relative "accept"
require_relative "follow_action"
require_relative "follow_generation"
require_relative "follow_page"

module Streamer
  module Controller
    # One follow_events: what is answered to a request for a log or several, by what the client accepts and where it has come to.
    class FollowEvents # :nodoc:
      # An answer that is kept would be a stream that has ended. Rails, where it knows no-store, drops no-transform, which keeps Rack::Deflater
      # and proxies from compressing; and it knows it by its small letters.
      UNSTORED = { "Cache-Control" => "no-cache, No-Store, no-transform" }.freeze
      private_constant :UNSTORED

      # The key of what follow_events takes. Raises UnknownLogError.
      def self.key_of(log)
        log = log.log until log.is_a?(Log) || !log.respond_to?(:log)
        Log[log].key
      rescue ArgumentError
        raise UnknownLogError, log.inspect
      end

      def initialize(controller, logs, rotate:, retry_time:)
        raise ArgumentError, "follow_events takes a log, or several" if logs.empty?
        unless rotate.nil? || (rotate.respond_to?(:to_f) && rotate.to_f.positive?)
          raise ArgumentError, "rotate is a positive number of seconds, such as 55, or nil; got #{rotate.inspect}"
        end

        @controller = controller
        @request = controller.request
        @keys = logs.map { |log| FollowEvents.key_of(log) }
        @generation = logs.first if logs.one? && logs.first.respond_to?(:broadcast_from)
        @rotate = rotate&.to_f
        @retry_time = retry_time
      end

      # Raises UnknownLogError, InvalidPositionError, StoreUnavailableError: nothing has been answered then.
      def answer(headers:, heartbeat:)
        Accept.vary(@controller.response)
        { "Cache-Control" => "no-store", **headers }.each { |name, value| @controller.response.set_header(name, value) }
        return page if json?

        action = action(Log.background.followers, @keys, Log::Cursor.of(@request, @keys.size), rotate: @rotate, retry_time: @retry_time)
        return @controller.head(:no_content) if action.over?

        action.notify
        Delivery.for(@controller).start(action, status: 200, headers: UNSTORED.merge(headers), heartbeat: heartbeat)
      end

      private

      # Whoever asks in this way may be about to show the record, whose worker may have ended between the log's close and the record's.
      def page
        @generation.settle if @generation&.processing?
        FollowPage.new(@controller, @keys).render
      end

      def action(*arguments, **options)
        return FollowAction.new(@controller, *arguments, **options) unless turbo?

        FollowGeneration.new(@controller, @generation, *arguments, **options)
      end

      # The format of the URL: what <turbo-stream-source> accepts is an event stream like any.
      def turbo? = @generation && @request.path_parameters[:format] == "turbo_stream"

      def json?
        return true if @request.get_header(Collected::HEADER)

        @request.negotiate_mime([::Mime[:event_stream], ::Mime[:json]]) == ::Mime[:json]
      end
    end
  end
end
