# frozen_string_literal: true

# The processes of the demo, by name, each in a process group of its own, so that Ctrl-C reaches the supervisor alone and it ends them in
# order. Into the queue goes the name of one that has ended by itself or was killed.
class Children
  ROOT = File.expand_path("..", __dir__)

  # A page that still follows a log keeps a server from ending; some seconds are enough to be polite.
  STOP_SECONDS = 3

  def initialize(happenings)
    @happenings = happenings
    @pids = {}
    @waiters = {}
  end

  # To its end. Whether it succeeded.
  def run(environment, *command) = system(environment, *command, chdir: ROOT)

  def start(name, environment, *command, **streams)
    @pids[name] = pid = Process.spawn(environment, *command, chdir: ROOT, pgroup: true, in: File::NULL, **streams)
    @waiters[name] = Thread.new do
      Process.wait(pid)
      @happenings << name unless @stopping
    end
  end

  # The first line that it prints.
  def start_and_read(name, environment, *command)
    output, input = IO.pipe
    start(name, environment, *command, out: input)
    input.close
    output.gets.to_s.chomp
  end

  def kill(name) = signal(:KILL, name)

  # The last one first.
  def stop
    @stopping = true
    @pids.keys.reverse_each do |name|
      signal(:TERM, name)
      signal(:KILL, name) unless @waiters[name].join(STOP_SECONDS)
      @waiters[name].join
    end
  end

  private

  def signal(signal, name)
    Process.kill(signal, -@pids[name])
  rescue Errno::ESRCH
    nil # it has ended already
  end
end
