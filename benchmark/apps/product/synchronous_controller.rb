# frozen_string_literal: true

# As such actions are written at first: the request waits for the whole answer.
class SynchronousController < ActionController::Base
  skip_forgery_protection

  def create
    http = Net::HTTP.new(MODEL.host, MODEL.port).tap { |client| client.read_timeout = 60 }
    body = http.get(MODEL.request_uri).body
    text = body.scan(/^data: (\{.*)$/).map { |(json)| JSON.parse(json).dig("choices", 0, "delta", "content") }.join
    render html: "<!doctype html><title>Answer</title><p>#{ERB::Util.h(text)}</p>".html_safe
  end
end
