# frozen_string_literal: true

# The services the demo waits for, all in one small process and without Rails:
#
#   POST /v1/chat/completions                     an answer as OpenAI streams it
#   POST /v1/messages                             as Anthropic does
#   POST /v1beta/models/…:streamGenerateContent   as Gemini does, with ?alt=sse
#   GET  /quotes/:carrier?delay=2                 one slow JSON document, after `delay` seconds; &refuse=:carrier for a 503
#   GET  /logs?pace=8                             a log that never ends, as an event stream
#
# Answers are played as two headers of the request say: Pace (tokens a second), Trouble (refuse, deny, drop or stall).
# Run on its own: ruby upstream.rb PORT, then ask with curl -N.

require_relative "upstream/server"
require_relative "upstream/answer"
require_relative "upstream/dialects"
require_relative "upstream/quote"
require_relative "upstream/log"

DIALECTS = {
  %r{\A/v1/chat/completions\z} => Dialects::OpenAI,
  %r{\A/v1/messages\z} => Dialects::Anthropic,
  %r{\A/v1beta/models/[\w.-]+:streamGenerateContent\z} => Dialects::Gemini
}.freeze

server = Server.new do |request, reply|
  case request.path
  when %r{\A/quotes/(\w+)\z}
    Quote.new($1, delay: request.number("delay", 1), refuse: request.params["refuse"] == $1).send_to(reply)
  when "/logs"
    Log.new(pace: request.number("pace", 8), after: request.headers["last-event-id"].to_i).send_to(reply)
  else
    _, dialect = DIALECTS.find { |pattern, _| pattern.match?(request.path) }
    next reply.json({ error: { message: "Nothing lives at #{request.path}" } }, status: 404) unless dialect

    pace = Float(request.headers.fetch("pace", 40))
    Answer.new(dialect, dialect.question(request.json), pace:, trouble: request.headers["trouble"]).send_to(reply)
  end
end

port = server.listen("127.0.0.1", Integer(ARGV.fetch(0, 0)))
# bin/demo asks for any free port and reads this line to learn which one it got.
$stdout.puts "http://127.0.0.1:#{port}"
$stdout.flush
trap("INT") { exit }
trap("TERM") { exit }
server.run
