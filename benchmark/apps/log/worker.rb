# frozen_string_literal: true

# A worker that is told what to do: a line of JSON for each command, {"do": name, ...}, answered by one.
require_relative "application"
require_relative "schedule"
require_relative(WAY == "streamer" ? "logs" : "broadcasts")

require "json"

class Worker
  ANSWERS = WAY == "streamer" ? Logs : Broadcasts

  def initialize
    @statements = @commits = 0
    ActiveSupport::Notifications.subscribe("sql.active_record") do |*, payload|
      next if payload[:name] == "SCHEMA"

      @statements += 1
      @commits += 1 if payload[:sql].start_with?("COMMIT")
    end
  end

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

  # An answer as long as that, in a log that is closed unless it is to stay open; its text.
  def write(id:, tokens:, close:)
    writer = Streamer::Log.create(id).claim
    tokens.times { |index| writer << words[index % words.size] }
    writer.flush
    writer.close if close
    { text: Array.new(tokens) { |index| words[index % words.size] }.join }
  end

  private

  def words = @words ||= ["the", " stream", " of", " tokens", " is", " on", " its", " way", ",", " and", " a", " caf\u00e9", ".\n\n"].freeze

  def measure
    before = [cpu, @statements, @commits]
    yield
    after = [cpu, @statements, @commits]
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
