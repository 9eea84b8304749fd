# frozen_string_literal: true

# What one carrier asks for a shipment: ordinary JSON, after an ordinary wait.
class Quote
  CARRIERS = {
    "air" => { carrier: "Kestrel Air", price: 1_840, days: 2 },
    "rail" => { carrier: "Hanse Rail", price: 720, days: 9 },
    "sea" => { carrier: "Borealis Lines", price: 415, days: 31 }
  }.freeze

  def initialize(carrier, delay:, refuse:)
    @carrier, @delay, @refuse = carrier, delay.clamp(0, 30), refuse
  end

  def send_to(reply)
    sleep @delay
    return reply.json({ error: "#{@carrier}: no quotes today" }, status: 503) if @refuse

    reply.json({ **CARRIERS.fetch(@carrier), currency: "EUR" })
  end
end
