# frozen_string_literal: true

# QueueApp, booted once, and then what a QueueSite wants to have forked from it, as servers do that load their application first: a line of
# input is the name of what runs in the child and its arguments, the line of output its process id.

$LOAD_PATH.unshift(File.expand_path("../../lib", __dir__), File.expand_path("..", __dir__))
require "json"
require_relative "queue_app"

# The newest async that Ruby 3.1 gets asks for what came with 3.2.
IO.class_eval { def timeout = nil } unless IO.method_defined?(:timeout)

# What the lines of a web process may use.
class QueueConsole
  include QueueApp

  Answer = QueueApp::Answer
  Owner = QueueApp::Owner

  def start(url, **attributes) = Answer.start!(prompt: url, **attributes).id

  def look(id)
    Answer.find(id).then do |answer|
      { status: answer.status, phase: answer.phase, content: answer.content, error: answer.error, message: answer.error_message,
        text: answer.log.text, log: answer.log.head.state, epoch: answer.log.head.epoch,
        requests: answer.upstream_requests.pluck(:attempt, :outcome) }
    end
  end

  # Begins to follow it; `followed` is what has come so far.
  def follow(id)
    seen = (@followed ||= {})[id] = []
    log = Answer.find(id).log
    Thread.new { log.follow { |entry| seen << [entry.kind, entry.kind == :state ? entry.json["phase"] : entry.id] } }
    nil
  end

  def followed(id) = @followed.fetch(id)

  def answer(line) = Rails.application.executor.wrap { { value: instance_eval(line) } }

  # Each line of questions is a JSON String of Ruby; each of answers is JSON.
  def run(questions, answers)
    lines = Thread::Queue.new
    Thread.new do # async's hooks for reading need Ruby 3.2
      questions.each_line { |line| lines << line }
      exit!
    end
    while (line = lines.pop)
      answer = begin
        answer(JSON.parse(line))
      rescue StandardError => error
        { error: "#{error.class}: #{error.message}", backtrace: error.backtrace.first(5) }
      end
      answers.syswrite("#{JSON.generate(answer)}\n")
    end
  end
end

# What a child does until it is told to end.
module QueueProcess
  module_function

  def tables = QueueApp.create_tables

  def solid_queue
    SolidQueue::Supervisor.start(config_file: File.join(QueueApp::DIRECTORY, "queue.yml"), skip_recurring: true)
  end

  def sidekiq(*options)
    require "sidekiq/cli"
    Sidekiq::CLI.instance.tap { |cli| cli.parse(options) }.run
  end

  # In the way of Falcon where the jobs run in tasks of the process that enqueues them.
  def web(questions, answers)
    File.open(questions) do |input|
      File.open(answers, "w") do |output|
        ENV.fetch("QUEUE") == "async_job" ? Sync { QueueConsole.new.run(input, output) } : QueueConsole.new.run(input, output)
      end
    end
  end
end

$stdin.each_line do |line|
  name, *arguments = JSON.parse(line)
  pid = fork do
    Process.setpgrp
    $stdin.reopen(File::NULL)
    $stdout.reopen($stderr)
    QueueProcess.public_send(name, *arguments)
  end
  Process.detach(pid)
  $stdout.syswrite("#{pid}\n")
end
