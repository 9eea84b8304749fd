# frozen_string_literal: true

module Streamer
  module Controller
    # What Rails makes of a request's Accept, where event streams are concerned.
    module Accept # :nodoc:
      FORMATS = "action_dispatch.request.formats"
      private_constant :FORMATS

      class << self
        # Rails before 8.2 takes a list with */* in it for a browser's, and that for a wish for HTML. No browser names event streams in one.
        def name_event_stream(request)
          return unless request.get_header("HTTP_ACCEPT")&.include?("text/event-stream") && !::ActionDispatch::Request.ignore_accept_header
          return if request.path_parameters.key?(:format) || request.query_parameters.key?(:format)

          request.set_header(FORMATS, request.accepts.select { |type| type.symbol || type.ref == "*/*" })
        end

        # Before an exception leaves the action: Rails has pages for persons and JSON for programs, and in development it knows the latter by
        # this header.
        def make_error_readable(request)
          return unless request.formats.first&.symbol == :event_stream

          request.set_header(FORMATS, [::Mime[:json]])
          request.set_header("HTTP_X_REQUESTED_WITH", "XMLHttpRequest")
        rescue ::ActionDispatch::Http::MimeNegotiation::InvalidType
          nil # which is the error
        end

        # What is answered depends on Accept; caches have to know, also where Rails does not say so.
        def vary(response)
          names = response.headers["Vary"].to_s.split(/,\s*/)
          return if response.committed? || names.any? { |name| name == "*" || name.casecmp?("Accept") }

          response.headers["Vary"] = [*names, "Accept"].join(", ")
        end
      end
    end
  end
end
