# frozen_string_literal: true

require "uri"

module Streamer
  module Providers
    # Responses that a provider goes on with while nobody reads them: where they are read on, and ended.
    class Background # :nodoc:
      # What a response may be called: it becomes part of a URL.
      NAME = /\A[\w.-]{1,256}\z/
      private_constant :NAME

      # declaration: a provider's `background`.
      def initialize(client, declaration)
        @client = client
        @declaration = declaration
      end

      # chat: the Request that began it, whose headers and timeouts are those of this one.
      def read(chat, id, after)
        path = format(@declaration[:read], checked(id))
        path += format(@declaration[:after], URI.encode_www_form_component(after)) if after
        to(:get, chat, path)
      end

      def cancel(chat, id) = to(:post, chat, format(@declaration[:cancel], checked(id)))

      private

      def to(method, chat, path)
        @client.request(method, path, headers: chat.headers.except("content-type", "content-length"), timeouts: chat.timeouts)
      end

      def checked(id)
        return id if NAME.match?(id.to_s)

        raise ArgumentError, "#{id.inspect} is not the name of a response"
      end
    end
  end
end
