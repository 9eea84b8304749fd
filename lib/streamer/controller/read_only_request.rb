# frozen_string_literal: true

module Streamer
  module Controller
    # A request whose response's head is sent: its cookies, session and flash can be read, and a write that nobody would ever see raises
    # FrozenError.
    module ReadOnlyRequest # :nodoc:
      def self.seal(request) = request.extend(Request)

      # What hands them out.
      module Request
        def cookie_jar = super.extend(Written)
        def session = super.extend(Written)
        def flash = super.extend(Written)
      end

      # All that writes to one of the three.
      module Written
        %i[[]= store update merge! replace delete clear destroy discard keep alert= notice=].each do |name|
          define_method(name) do |*|
            raise FrozenError,
                  "cookies, session and flash went out with the stream's head: write them before stream_events or relay_events"
          end
        end
      end
    end
  end
end
