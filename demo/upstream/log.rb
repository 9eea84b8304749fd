# frozen_string_literal: true

# A log as an event stream: each line has an id, so that a reader who lost the connection goes on where it was.
class Log
  LINES = [
    [:info,  "web.1",    'GET "/orders/%<n>d" 200 in %<ms>dms (views 9.1ms, db 4.7ms)'],
    [:debug, "web.1",    "Cache hit views/orders/%<n>d-20260714"],
    [:info,  "web.2",    'POST "/carts/%<n>d/items" 201 in %<ms>dms'],
    [:info,  "worker.1", "ReceiptMailer#paid order %<n>d delivered in %<ms>dms"],
    [:debug, "worker.1", "Reserved job %<n>d from queue default"],
    [:info,  "web.2",    'GET "/products?page=%<n>d" 304 in %<ms>dms'],
    [:warn,  "web.1",    "Slow query: SELECT orders.* took %<ms>d0ms, limit is 200ms"],
    [:info,  "web.1",    'GET "/up" 200 in 1ms'],
    [:debug, "web.2",    "Stream to 10.0.4.%<ms>d opened, first byte after 3ms"],
    [:info,  "worker.2", "SearchIndex: %<ms>d documents written, %<n>d to go"],
    [:warn,  "worker.2", "Retrying webhook %<n>d, attempt 2 of 5: answered 503"],
    [:error, "worker.2", "Payment %<n>d declined: card_expired (request req_%<n>d)"]
  ].freeze
  WEIGHTS = { debug: 3, info: 6, warn: 4, error: 3 }.freeze

  def initialize(pace:, after:)
    @pace, @number = pace.clamp(0.2, 200), after
  end

  def send_to(reply)
    reply.stream do
      loop do
        @number += 1
        reply.event(line, type: "line", id: @number)
        sleep rand(0.2..1.8) / @pace
      end
    end
  end

  private

  def line
    level, source, message = LINES.max_by { |level, *| rand**(1.0 / WEIGHTS.fetch(level)) }
    { at: Time.now.strftime("%H:%M:%S.%L"), level:, source:,
      message: format(message, n: rand(1_000..9_999), ms: rand(4..96)) }
  end
end
