# frozen_string_literal: true

require_relative "url"

module Streamer
  module Upstream # :nodoc:
    # The request that a response redirects to (Fetch Standard, "HTTP-redirect fetch").
    module Redirect # :nodoc:
      STATUSES = [301, 302, 303, 307, 308].freeze

      # Fields that are about the body: those of the standard (request-body-header name), and those that it knows as forbidden or not at all.
      ABOUT_THE_BODY = /\A(?:content-.*|transfer-encoding|trailer|expect|digest|repr-digest)\z/

      # Sent to another origin too. All other fields may be secrets and stay where they were meant for.
      SHAREABLE = %w[accept accept-encoding accept-language cache-control content-encoding content-language content-location content-type
                     last-event-id user-agent].freeze

      private_constant :ABOUT_THE_BODY, :SHAREABLE

      class << self
        # nil when it is no redirect; one without a Location is none. headers: a Headers. Raises RedirectError.
        def follow(request, status, headers)
          locations = STATUSES.include?(status) ? headers.raw.all("location").uniq : []
          return if locations.empty?
          raise RedirectError, "redirected to several URLs at once" if locations.size > 1

          target = destination(request.location, locations.first)
          as_get?(status, request.method) ? with_get(request, target) : with_body(request, target)
        end

        private

        def destination(from, location)
          target = from.resolve(location)
          raise RedirectError, "redirected from https to http" if from.scheme == "https" && target.scheme == "http"
          raise RedirectError, "redirected with credentials to another origin" if target.credentials && !from.same_origin?(target)

          target
        rescue InvalidURLError => error
          raise RedirectError, "redirected to a URL that cannot be requested: #{error.message}"
        end

        def as_get?(status, method)
          ([301, 302].include?(status) && method == "POST") || (status == 303 && !%w[GET HEAD].include?(method))
        end

        def with_get(request, target)
          to(request.with(method: "GET", body: Body.new(nil), headers: request.headers.reject { |name, _| name.match?(ABOUT_THE_BODY) }), target)
        end

        def with_body(request, target)
          raise RedirectError, "redirected, and the body cannot be sent again: it does not rewind" unless request.body.rewind

          to(request, target)
        end

        def to(request, target)
          return request.to(target) if request.location.same_origin?(target)

          request.with(headers: request.headers.slice(*SHAREABLE), route: request.route.elsewhere).to(target)
        end
      end
    end
  end
end
