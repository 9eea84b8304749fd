# frozen_string_literal: true

require "streamer/testing"

# A provider that goes on with a response while nobody reads it, in the two dialects that there are: events are numbered, and GET reads on behind
# a number.
#
#   provider = BackgroundProvider.new(:openai_responses, tokens: 20)
#   provider.cut_after = [3, 7]     # events after which a connection is cut, one number for each connection; none for the rest
#   provider.chat                   # what a job is given
#   provider.asked, provider.read   # how often a model was asked, and which places were read on from
class BackgroundProvider
  PATHS = { openai_responses: "responses", gemini_interactions: "interactions" }.freeze

  attr_accessor :cut_after, :refuses, :silent_after, :every
  attr_reader :asked, :read, :cancelled

  def initialize(dialect, tokens: 20)
    @dialect = dialect
    @tokens = tokens
    @cut_after = []
    @asked = 0
    @read = []
    @cancelled = []
    @lock = Mutex.new
    @upstream = Streamer::Testing::Upstream.new { |exchange| answer(exchange) }
  end

  def stop = @upstream.stop

  def text = Array.new(@tokens) { |number| "w#{number}é " }.join

  def chat(background: true, **options)
    Streamer::Providers[@dialect].new(base_url: @upstream.url).chat(model: "m", messages: [{ role: "user", content: "Why?" }],
                                                                    **(background ? { background: true } : {}), **options)
  end

  # Of its response.
  def name = @dialect == :openai_responses ? "resp_1" : "v1_abc"

  def requests = @lock.synchronize { @asked + @read.size }

  private

  def answer(exchange)
    path, query = exchange.request.target.split("?", 2)
    return cancel(exchange, path) if path.end_with?("/cancel")
    return begin_response(exchange) if exchange.request.method == "POST"

    after = query[/(?:starting_after|last_event_id)=(\w+)/, 1]
    @lock.synchronize { @read << after }
    return exchange.json({ error: { message: "gone" } }, status: 404) if refuses

    stream(exchange, after ? number(after) + 1 : 0)
  end

  def begin_response(exchange)
    @lock.synchronize { @asked += 1 }
    stream(exchange, 0)
  end

  def cancel(exchange, path)
    @lock.synchronize { @cancelled << path[%r{/([\w.-]+)/cancel}, 1] }
    exchange.json({ status: "cancelled" })
  end

  def stream(exchange, from)
    cut = @lock.synchronize { cut_after.shift }
    exchange.head
    events.each_with_index.drop(from).each_with_index do |((type, data), number), sent|
      return exchange.close if cut && sent >= cut
      return exchange.stall if silent_after && number >= silent_after

      exchange.pause(every) if every
      exchange.chunk("event: #{type}\ndata: #{JSON.generate(numbered(data, number))}\n\n")
    end
    exchange.finish
  end

  def numbered(data, number)
    @dialect == :openai_responses ? { sequence_number: number, **data } : { event_id: "e#{number}", **data }
  end

  def number(place) = place.delete("e").to_i

  def events = @dialect == :openai_responses ? responses : interactions

  def responses
    words = Array.new(@tokens) { |n| ["response.output_text.delta", { type: "response.output_text.delta", output_index: 0, delta: "w#{n}é " }] }
    [["response.created", { type: "response.created", response: { id: name, status: "in_progress" } }],
     ["response.in_progress", { type: "response.in_progress", response: { id: name, status: "in_progress" } }], *words,
     ["response.completed", { type: "response.completed",
                              response: { id: name, status: "completed", usage: { input_tokens: 3, output_tokens: @tokens } } }]]
  end

  def interactions
    words = Array.new(@tokens) { |n| ["step.delta", { event_type: "step.delta", index: 1, delta: { type: "text", text: "w#{n}é " } }] }
    [["interaction.created", { event_type: "interaction.created", interaction: { id: name, status: "in_progress" } }],
     ["step.delta", { event_type: "step.delta", index: 0, delta: { type: "thought_signature", signature: "x" } }], *words,
     ["interaction.completed", { event_type: "interaction.completed",
                                 interaction: { id: name, status: "completed",
                                                usage: { total_input_tokens: 3, total_output_tokens: @tokens } } }]]
  end
end
