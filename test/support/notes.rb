# frozen_string_literal: true

require "json"

# What an application noted behind its responses: lines of JSON in a file, written by any process, each under the name that the
# request gave.
class Notes
  Late = Class.new(StandardError)

  def initialize(path)
    @path = path
  end

  def add(name, what, **details)
    line = "#{JSON.generate({ name: name, what: what, **details })}\n"
    File.open(@path, "a") { |file| file.syswrite(line) } # in one piece, whoever else writes
  end

  # Array of Hashes. A last line without its end is still being written.
  def of(name)
    return [] unless File.exist?(@path)

    File.readlines(@path).grep(/\n\z/).map { |line| JSON.parse(line) }.select { |note| note["name"] == name }
  end

  # The first with this "what", waited for.
  def wait(name, what, timeout: 20)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + timeout
    until (found = of(name).find { |note| note["what"] == what })
      raise Late, "no #{what.inspect} among #{of(name)}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.02
    end
    found
  end
end
