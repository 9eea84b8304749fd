# frozen_string_literal: true

require "streamer/providers/chat"

module Streamer
  module Providers
    # What all providers have in common. A provider of one's own is a declaration, and a method where its answers are built in another way.
    # An object of it is one account; it may be shared by all threads and fibers.
    class Provider
      # base_url, path: where it is asked. key: the header that has the API key, and its format: ["authorization", "Bearer %s"].
      # headers: others that it always wants. body: what a body has unless the caller says otherwise, such as stream: true.
      # done, error: how its stream ends, and where it has errors; format: how it is framed, where its media type is no help; all as in
      # Response#each_event.
      # text: the path of an event's text; from: the type of the events that have it, where others have something at that path.
      # values: name => path of what else an event has, for `pieces`.
      # kept: name => path of what is known in the end: finish_reason, input_tokens and output_tokens.
      PARTS = %i[base_url path key headers body format done error text from values kept].freeze

      # Those that are Hashes of names.
      NAMED = %i[headers body values kept].freeze
      private_constant :NAMED

      class << self
        # Over what the superclass declares; headers, body, values and kept name by name.
        def declare(**parts)
          unknown = parts.keys - PARTS
          raise ArgumentError, "a provider declares #{PARTS.join(", ")}; got #{unknown.first.inspect}" if unknown.any?

          @declaration = declaration.merge(parts) { |part, old, new| NAMED.include?(part) ? old.merge(new) : new }.freeze
        end

        def declaration # :nodoc:
          @declaration || (self == Provider ? { headers: {}, body: {}, values: {}, kept: {} } : superclass.declaration)
        end
      end

      # api_key: nil where none is wanted. base_url: of something compatible. headers: over the provider's own.
      # options: as in Client (timeouts:, tls:, proxy:, ...).
      def initialize(api_key: nil, base_url: nil, headers: {}, **options)
        name, format = declared(:key)
        own = api_key && name ? { name => Kernel.format(format, api_key) } : {}
        @client = Client.new(base_url || declared(:base_url), headers: { **own, **declared(:headers), **headers }, **options)
      end

      # A Chat that is not sent yet. messages: Hashes with role: (system, user, assistant) and content:, a String, or whatever else this
      # provider takes for messages. body: anything else for the body, in the provider's own words (tools:, temperature:, ...); nil leaves
      # out what it would have. timeouts: and headers: over those of the provider.
      def chat(model:, messages: nil, timeouts: {}, headers: {}, **body)
        body = { **declared(:body), **addressed(model), **(messages ? conversation(messages) : {}), **body }.compact
        Chat.new(self, @client.request(:post, path(model), json: body, timeouts: timeouts, headers: headers))
      end

      def declared(part) = self.class.declaration[part] # :nodoc:

      # --- for a provider that differs ---

      # What one event adds to an answer: yields its text (String or nil) and what it has of a tool call, a Hash with index:, id:, name: and
      # arguments: (a piece of JSON), or nil. found: the declared values by name.
      def pieces(found) # :nodoc:
        yield found[:text], nil if found[:text]
        found[:tool_calls]&.each_with_index do |call, position|
          function = call["function"] || {}
          yield nil, { index: call["index"] || position, id: call["id"], name: function["name"], arguments: function["arguments"] }
        end
      end

      def inspect = "#<#{self.class.name || "provider"} #{@client.inspect[/\S+(?=>\z)/]}>"

      private

      def path(_model) = declared(:path)

      # How the body names the model.
      def addressed(model) = { model: model }

      # How the body has the messages.
      def conversation(messages) = { messages: messages }

      # The content of the system's messages, as one text or as an Array of parts, or nil; and the others.
      def parted(messages)
        system, others = messages.partition { |message| (message[:role] || message["role"]).to_s == "system" }
        contents = system.map { |message| message[:content] || message["content"] }
        [(contents.all?(String) ? contents.join("\n\n") : contents.flatten(1) if system.any?), others]
      end
    end
  end
end
