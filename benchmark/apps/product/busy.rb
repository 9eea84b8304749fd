# frozen_string_literal: true

# For how long requests have kept the web server's threads, those that are under way included: written to busy.json five times a second,
# since a server whose threads are all taken cannot be asked.
class Busy
  EVERY = 0.2

  @lock = Mutex.new
  @seconds = 0.0
  @running = {}

  class << self
    def during
      key = Object.new
      @lock.synchronize { @running[key] = now }
      yield
    ensure
      @lock.synchronize { @seconds += now - @running.delete(key) }
    end

    def seconds = @lock.synchronize { @seconds + @running.values.sum { |start| now - start } }

    def report(path)
      Thread.new do
        loop do
          File.write("#{path}.new", seconds.to_s)
          File.rename("#{path}.new", path)
          sleep EVERY
        end
      end
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def initialize(app)
    @app = app
  end

  def call(environment) = Busy.during { @app.call(environment) }
end
