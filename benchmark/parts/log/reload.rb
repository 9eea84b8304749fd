# frozen_string_literal: true

require "socket"
require_relative "../../support/log_part"

module Bench
  # How long a page waits that comes back to a long answer.
  class Reload < LogPart
    NAME = "reload"
    NOTE = <<~TEXT
      An answer of 100,000 tokens is asked for from its start, with a new connection each, until all of it is there; the file has the same text
      and comes from the same Puma. The answer is over, or goes on and has been written a moment before.
    TEXT
    ENTRIES = LogContenders::OURS
    TOKENS = 100_000
    TIMES = 15
    END_OF_TEXT = "@end"
    LIMIT = 2
    SECONDS = 3 * 25

    private

    def measure
      @found = entries.to_h do |contender|
        progress(contender.to_s)
        [contender, @sites.with(contender) { |site| measure_one(site) }]
      end
    end

    # { way => milliseconds }
    def measure_one(site)
      paths = { "file" => "/answer.txt", "over" => "/answers/over", "open" => "/answers/open" }
      text = %w[over open].map { |id| site.worker.tell(:write, id: id, tokens: tokens, last: END_OF_TEXT, close: id == "over") }.first[:text]
      File.write(File.join(site.root, "public/answer.txt"), text)
      paths.each { |way, path| compare(way, path, text, fetch(site, path)) }
      times = Array.new(@reduced ? 2 : TIMES) { paths.transform_values { |path| time { fetch(site, path) } } }
      paths.keys.to_h { |way| [way, median(times) { |row| row[way] }] }
    end

    def tokens = @reduced ? 2000 : TOKENS

    # All bytes until the end of the text has come.
    def fetch(site, path)
      socket = TCPSocket.new("127.0.0.1", site.web.port)
      socket.write("GET #{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
      bytes = String.new(capacity: 4 * 1024 * 1024)
      bytes << socket.readpartial(256 * 1024) until bytes.byteslice([bytes.bytesize - 400, 0].max, 400).include?(END_OF_TEXT)
      bytes
    rescue EOFError
      raise Contest::Different, "#{path} ended after #{bytes.bytesize} bytes: #{bytes[0, 300].inspect}"
    ensure
      socket&.close
    end

    def time
      start = now
      yield
      (now - start) * 1000
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def compare(way, path, text, bytes)
      head, body = bytes.split("\r\n\r\n", 2)
      body = unchunk(body) if head.match?(/transfer-encoding: chunked/i)
      return if (way == "file" ? body : text_of(body)).dup.force_encoding("UTF-8") == text

      raise Contest::Different, "#{path} gave another text"
    end

    # What has come of it.
    def unchunk(body)
      whole = String.new
      until body.empty?
        size, body = body.split("\r\n", 2)
        whole << body.to_s.byteslice(0, size.hex)
        body = body.to_s.byteslice((size.hex + 2)..).to_s
      end
      whole
    end

    def text_of(events)
      Frames.read([events]).filter_map { |type, data| data["content"] if %w[gap token].include?(type) }.join
    end

    def show
      @report.table(["", "the file, ms", "over, ms", "against the file", "open, ms", "against the file"], @found.map do |contender, times|
        file, over, open = times.values_at("file", "over", "open")
        [contender.name, number(file), number(over), @report.ratio(over / file), number(open), @report.ratio(open / file)]
      end)
      @found.each do |contender, times|
        { "over" => "an answer that is over", "open" => "one that goes on" }.each do |way, name|
          target("#{contender}: #{name}, against the file", "<= #{LIMIT}", times[way] / times["file"], "×")
        end
      end
    end
  end
end
