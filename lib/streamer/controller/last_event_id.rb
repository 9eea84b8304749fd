# frozen_string_literal: true

module Streamer
  module Controller
    # How far a browser has followed a stream: the last event ID of the HTML Standard. A browser sends it in a header when it connects again,
    # but never at first; so a page that contains a part of the stream has it in the stream's URL, signed for that URL's path.
    module LastEventID # :nodoc:
      HEADER = "Last-Event-ID"
      PARAMETER = "last_event_id"

      class << self
        # A URL with a parameter more. Raises URI::InvalidURIError.
        def add_to(url, id)
          uri = URI(url)
          uri.query = [uri.query, { PARAMETER => verifier.generate(id.to_s, purpose: uri.path) }.to_query].compact.join("&")
          uri.to_s
        end

        # A String or nil. The header is the newer one. Raises ActionController::BadRequest for a parameter that was not signed for this path:
        # whoever guessed would have events repeated or left out.
        def of(request)
          header = request.headers[HEADER]
          return Encoder.utf8(header) if header.present?

          signed = request.query_parameters[PARAMETER]
          return if signed.nil?

          (verifier.verified(signed, purpose: request.path) if signed.is_a?(String)) ||
            raise(::ActionController::BadRequest, "#{PARAMETER} is signed by streamer_source or streamer_turbo_source for one path; " \
                                                  "this one is not for #{request.path}")
        end

        private

        def verifier = ::Rails.application.message_verifier("streamer/last_event_id")
      end
    end
  end
end
