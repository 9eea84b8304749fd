# frozen_string_literal: true

# People who ask something, each in a thread: what they wait for. Prints JSON: what each has seen, in seconds.
#
#   users.rb WAY PORT ARRIVAL,ARRIVAL,...      WAY: synchronous or streamed; an arrival: seconds from the start
#
#   page       until a page was there          first       until the first word was
#   whole      until all words were            behind_ms   from a word's time at the model to its time here, of each word
#   timed_out  after PATIENCE seconds without a page, or without an end
require "json"
require "socket"

PATIENCE = 30
WORDS = 17
WORD = /@(\d+):(\d+) /

class User
  Late = Class.new(StandardError)

  def initialize(port)
    @port = port
  end

  def synchronous
    measure do
      _, body = request("POST", "/synchronous", "prompt=Why")
      seen(:page)
      take(body)
    end
  end

  def streamed
    measure do
      head, = request("POST", "/answers", "prompt=Why")
      path = head[%r{^location: http://[^/]+(\S+)}i, 1]
      _, page = request("GET", path)
      seen(:page)
      take(page)
      follow("#{path}/events", page[/data-cursor="([^"]+)"/, 1])
    end
  end

  private

  def measure
    @found = { behind_ms: [] }
    @start = now
    yield
    raise "#{@found[:behind_ms].size} words" unless @found[:behind_ms].size == WORDS

    seen(:whole)
    @found
  rescue Late
    { **@found, timed_out: true }
  ensure
    @socket&.close
  end

  def seen(what) = @found[what] ||= now - @start

  # In order, each once.
  def take(text)
    text.scan(WORD) do |number, queued|
      raise "word #{number} after #{@found[:behind_ms].size}" unless number.to_i == @found[:behind_ms].size

      seen(:first)
      @found[:behind_ms] << ((Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond) - queued.to_i) / 1e6)
    end
  end

  def request(method, path, body = nil)
    write(method, path, body)
    head = read_until("\r\n\r\n")
    length = head[/^content-length: (\d+)/i, 1].to_i
    fill until @buffer.bytesize >= length
    raise "#{method} #{path}: #{head.lines.first}" unless head.match?(/\AHTTP\S+ [23]/)

    [head, @buffer.slice!(0, length)]
  end

  def follow(path, cursor)
    write("GET", path, nil, "Accept: text/event-stream\r\nLast-Event-ID: #{cursor}\r\n")
    read_until("\r\n\r\n")
    until (event = read_until("\n\n")).include?("event: done")
      take(event)
    end
  end

  def write(method, path, body, headers = "")
    @socket ||= TCPSocket.new("127.0.0.1", @port)
    @buffer = +""
    headers += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: #{body.bytesize}\r\n" if body
    @socket.write("#{method} #{path} HTTP/1.1\r\nHost: 127.0.0.1:#{@port}\r\n#{headers}\r\n#{body}")
  end

  def read_until(mark)
    fill until (index = @buffer.index(mark))
    @buffer.slice!(0, index + mark.size)
  end

  def fill
    left = PATIENCE - (now - @start)
    raise Late unless left.positive? && @socket.wait_readable(left)

    @buffer << @socket.readpartial(65_536).force_encoding(Encoding::UTF_8)
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

way, port, arrivals = ARGV
Thread.report_on_exception = false
start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
users = arrivals.split(",").map do |at|
  Thread.new do
    sleep([start + Float(at) - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max)
    User.new(Integer(port)).public_send(way)
  end
end
users = users.map(&:value)
puts JSON.generate(users: users, seconds: Process.clock_gettime(Process::CLOCK_MONOTONIC) - start)
