# frozen_string_literal: true

require_relative "upstream/text"

module Streamer
  # What an upstream has said of its error, in whatever shape: ResponseError and UpstreamError include it. Nothing in here raises.
  module Reported
    # Characters of a reason.
    MAX_REASON = 200

    # Where errors are: {"error":…}, {"errors":…}, {"fault":…}, {"detail":…} as FastAPI has it.
    PLACES = %w[error errors fault detail].freeze

    # What has an "error" in it instead: {"response":{"error":…}} as OpenAI's responses have it, OpenRouter's choices, Cohere's delta.
    HOLDERS = %w[response choices delta x_groq].freeze
    REASONS = %w[message msg detail title description error_description faultstring error errors].freeze
    TYPES = %w[type status code].freeze
    CODES = %w[code status].freeze

    HTML = /\A<(?:!doctype|html|\?xml)/i
    TITLE = %r{<title[^>]*>\s*(.*?)\s*</title}im
    UNPRINTABLE = /[^[:print:]\s]|\u{FFFD}/

    private_constant(*constants(false))

    # What it said, parsed; nil when it is not JSON.
    def json = (@parsed ||= parse).first

    # What the upstream calls this kind of error, such as "overloaded_error"; nil when it does not say.
    def type
      found = details.values_at(*TYPES)
      (found.find { |value| value.is_a?(String) && !value.empty? && value != "error" } || found.find { |value| value.is_a?(Integer) })&.to_s
    end

    # The upstream's code of the error, a String or an Integer; nil when it does not say.
    def code = details.values_at(*CODES).find { |value| value.is_a?(Integer) || (value.is_a?(String) && !value.empty?) }

    # What it says to people, the first 200 characters: the message, the title of an HTML page, or plain text. nil when there is none.
    def reason
      text = message_in(json? ? described : plain)
      text = text.to_s.scrub("\u{FFFD}").strip
      text[0, MAX_REASON] unless text.empty?
    end

    private

    def wording = Upstream::Text.decode(said.to_s.b).strip

    # [the document], nothing in it when there is none.
    def parse
      [JSON.parse(wording)]
    rescue JSON::ParserError, EncodingError
      []
    end

    def json? = !(@parsed ||= parse).empty?

    def plain
      text = wording
      return text[TITLE, 1] if text.match?(HTML)

      text.lines.first unless text.empty? || text.match?(UNPRINTABLE)
    end

    # The Hash that describes the error; empty when there is none.
    def details = described.is_a?(Hash) ? described : (document.is_a?(Hash) ? document : {})

    # What stands where an error is, or the document itself.
    def described
      return document unless document.is_a?(Hash)

      inner = document.values_at(*HOLDERS).map { |holder| single(holder) }.grep(Hash).map { |holder| holder["error"] }
      single([*document.values_at(*PLACES), *inner].find { |place| said?(place) }) || document
    end

    def document = single(json)

    # Of several, the first that says something: an Array of errors is read as its first one.
    def single(value)
      value = value.flatten.find { |element| said?(element) } if value.is_a?(Array)
      value
    end

    def said?(value)
      case value
      when String, Hash, Array then !value.empty?
      end
    end

    def message_in(value)
      case value
      when String then value
      when Hash then value.values_at(*REASONS).each { |part| (found = message_in(single(part))) && (return found) } && nil
      end
    end
  end
  private_constant :Reported
end
