# frozen_string_literal: true

require "streamer/providers/chat"

module Streamer
  module Providers
    # What all providers have in common. Define another one by declaring what differs, and override `tool_calls` where its tool calls have
    # another form. An instance is one account; it may be shared by all threads and fibers.
    class Provider
      # base_url, path: of the API. key: the header that has the API key, and its format: ["authorization", "Bearer %s"].
      # headers: others that it always needs. body: what a request's body has unless the caller says otherwise, such as stream: true.
      #
      # What its streams look like; relays and Completion both go by it. Paths are those of Extractor:
      #
      # done, error: how a stream ends, and where it has errors; format: how it is framed, where its media type does not tell; all as in
      # Response#each_event.
      # text: the path of an event's text. from: the type, or types, of the events that have it, where others have something else at that
      # path. Reasoning is no text.
      # kept: name => path of what is known at the end: finish_reason, input_tokens and output_tokens.
      #
      # For Completion alone: usage: the path, or paths, of all that is said of it. refusal: the path of text in which the model refuses to
      # respond. values: name => path of what else `tool_calls` needs.
      #
      # background: of an API that goes on with a response while nobody reads it, a Hash: id and cursor, the paths of the response's name and of
      # the event's place in it; read, after and cancel, where it is read again, what is added to begin behind a place, and where it is ended.
      PARTS = %i[base_url path key headers body format done error text from kept usage refusal values background].freeze

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

      # api_key: nil if none is needed. base_url: of something compatible. headers: over the provider's own.
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
        request = @client.request(:post, path(model), json: body, timeouts: timeouts, headers: headers)
        Chat.new(self, request, background: (background if body[:background]))
      end

      # --- for Chat and Completion ---

      def declared(part) = self.class.declaration[part] # :nodoc:

      # How its streams are framed and end, as each_event and relays take it.
      def markers # :nodoc:
        %i[format done error].to_h { |part| [part, declared(part)] }.compact
      end

      # name => path of all that a Completion reads of an event; `from` is said of the first.
      def paths # :nodoc:
        @paths ||= { text: declared(:text), refusal: declared(:refusal), **usage_paths, **declared(:values), **declared(:kept),
                     response_id: declared(:background)&.fetch(:id), cursor: declared(:background)&.fetch(:cursor) }.compact
      end

      # name => path of what it says of its usage.
      def usage_paths = @usage_paths ||= Array(declared(:usage)).to_h { |path| ["usage at #{path}", path] } # :nodoc:

      # An event's text; nil where it has none. found: the values at `paths`.
      def text(found) # :nodoc:
        texts = found[:text].is_a?(Array) ? found[:text] : [found[:text]] # a path with "*" has one value for each element
        text = texts.grep(String).join
        text unless text.empty?
      end

      # --- to be overridden ---

      # What an event has of tool calls: an Array of Hashes, as in ToolCalls#add. found: the declared values by name.
      # By default OpenAI's.
      def tool_calls(found)
        calls = hashes(found[:tool_calls])
        calls.each_with_index.map do |call, position|
          function = call["function"] || call["custom"]
          function = {} unless function.is_a?(Hash)
          arguments = function["arguments"].nil? ? function["input"] : function["arguments"]
          { index: call["index"] || (position if calls.size > 1), id: call["id"], name: function["name"], arguments: arguments,
            opaque: call["type"] == "custom" || call.key?("custom") }
        end
      end

      def inspect = "#<#{self.class.name || "provider"} #{@client.inspect[/\S+(?=>\z)/]}>"

      private

      def background = (Background.new(@client, declared(:background)) if declared(:background))

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

      # The Hashes in an Array, or the one that stands alone.
      def hashes(value) = (value.is_a?(Array) ? value : [value]).grep(Hash)
    end
  end
end
