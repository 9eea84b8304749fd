# frozen_string_literal: true

# A worker that is told what to do: a line of JSON for each command, {"do": name, ...}, answered by one.
require_relative "application"
require_relative "schedule"
require_relative(WAY == "streamer" ? "logs" : "broadcasts")

require "json"

class Worker
  WORDS = [" the", " stream", " of", " tokens", " is", " on", " its", " way", ",", " and", " a", " caf\u00e9", ".\n\n"].freeze
  DEAF = Struct.new(:interval) { def close = nil }.new(1.0)
  ANSWERS = WAY == "streamer" ? Logs : Broadcasts

  def tables = ANSWERS.make_tables

  def begin(prefix:, count:)
    @count = count
    @answers = ANSWERS.new(Array.new(count) { |index| "#{prefix}-#{index}" })
    nil
  end

  # bytes of text that come first, in so many messages.
  def stuff(bytes:, messages:)
    messages.times { @answers.hand_over(0, "x" * (bytes / messages)) }
    @answers.flush
  end

  # A message to each answer, so often a second each.
  def send(per_second:, messages:)
    schedule = Schedule.new(@answers, @count, per_second: per_second, messages: messages)
    { **measure { schedule.run && @answers.flush }, sent: schedule.sent, seconds: schedule.seconds }
  end

  def close = @answers.close

  # An answer of so many tokens and the last one, in a log that is closed unless it is to go on; its text.
  def write(id:, tokens:, last:, close:)
    writer = Streamer::Log.create(id).claim
    pieces = [*Array.new(tokens - 1) { |index| WORDS[index % WORDS.size] }, last]
    pieces.each { |text| writer << text }
    close ? writer.close : writer.flush
    { text: pieces.join }
  end

  # Reads an upstream into a log, whose first token is stored when this returns.
  def relay(id:, url:)
    log = Streamer::Log.create(id)
    Thread.new { log.relay(Streamer::Client.new(url).request(:get, "/"), value: "content") }
    sleep(0.005) until log.head.sequence.positive?
  end

  # No wake is heard any more.
  def deafen
    Streamer::Log.store.define_singleton_method(:watch) { |&_| DEAF }
    nil
  end

  private

  def measure
    before = [cpu, SQL.statements, SQL.commits]
    yield
    after = [cpu, SQL.statements, SQL.commits]
    %i[cpu_s statements commits].zip(after.zip(before).map { |later, earlier| later - earlier }).to_h
  end

  def cpu = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
end

worker = Worker.new
$stdout.sync = true
puts "{}" # ready
while (line = $stdin.gets)
  command = JSON.parse(line, symbolize_names: true)
  puts JSON.generate(worker.public_send(command.delete(:do), **command) || {})
end
