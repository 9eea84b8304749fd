# frozen_string_literal: true

require "test_helper"
require "json"
require_relative "app_server"
require_relative "log_reader"
require_relative "patience"

# What tests of follow_events have in common: logs of the application, and browsers that end with the test.
module FollowCase
  include Patience

  def setup
    @clients = []
    super
  end

  def teardown
    super
    @clients.each { |client| client.leave unless client.left? }
  end

  private

  def server = AppServer.shared(self.class::KIND)

  def ask(path, on: server, **parameters)
    response = on.get("/logs/#{path}?#{URI.encode_www_form(parameters)}")

    assert_includes 200..299, response.code.to_i, "#{path}: #{response.body.to_s[0, 300]}"
    JSON.parse(response.body, symbolize_names: true) unless response.body.to_s.empty?
  end

  def create = ask("create")[:key]

  # The key of a new log with so many tokens; open unless it is closed as `close`.
  def written(tokens: 3, **parameters)
    create.tap { |key| ask("write", key: key, tokens: tokens, **parameters) }
  end

  # A browser that follows these logs, an SSEClient. after: its Last-Event-ID.
  def follow(*keys, on: server, after: nil, headers: {}, **parameters)
    headers = { "last-event-id" => after, **headers }.compact
    query = URI.encode_www_form({ key: keys.join(" "), note: name }.merge(parameters))
    on.stream("/logs/follow?#{query}", headers: headers).tap { |client| @clients << client }
  end

  # As an EventSource that has been told to follow, after its prime.
  def reader(client, after: "0-0", text: "")
    LogReader.new(Streamer::Log::Position.parse(after), text: text).tap { |reader| pump(client, reader) }
  end

  # Reads to the end of the response, or until the block says so.
  def pump(client, reader)
    while (frame = client.next)
      next if frame.comment || frame.data.nil? || %w[closing heartbeat].include?(frame.type)

      reader.take(Streamer::Log::Entry.new(position: frame.id && Streamer::Log::Position.parse(frame.id), type: frame.type, data: frame.data))
      break if block_given? && yield(reader)
    end
    reader
  end

  def tokens(count, word = "t") = Array.new(count) { |index| "#{word}#{index} " }.join

  def state(of: server) = ask("process_state", on: of)
end
