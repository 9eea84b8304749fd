# frozen_string_literal: true

require_relative "report"

module Bench
  # Several ways to the same output, side by side in one process.
  #
  #   contest = Contest.new("decode", events: 10_000, bytes: 3_000_000, expected: -> { ... }) { fresh input }
  #   contest.add("ours") { |input, sink| ... sink.add(what, came, out) ... }
  #   contest.check          # every contender once; Different unless each gives the expected output
  #   contest.run(settings)  # [Result]
  #
  # A contender gets the input and a sink; what it hands to the sink is its output. While it is timed the sink
  # drops everything. Time is CPU time of the process, garbage collection included: the median of several rounds, in each
  # of which the contenders take turns.
  class Contest
    Different = Class.new(StandardError)

    # ns and objects are per event, rate in MB (1,000,000 bytes) of input a second.
    Result = Struct.new(:name, :ns, :rate, :objects, keyword_init: true)

    # Rounds, and the least CPU time of one contender's turn in seconds.
    Settings = Struct.new(:rounds, :turn, keyword_init: true)

    # Keeps every output: what `add` was given, an Array if it was several.
    class Keep
      attr_reader :outputs

      def initialize
        @outputs = []
      end

      def add(first, *rest) = @outputs << (rest.empty? ? first : [first, *rest])

      # For whoever wants a stream.
      def write(bytes) = add(bytes)
    end

    # Keeps nothing, and allocates nothing.
    module Drop
      def self.add(_first, _second = nil, _third = nil) = nil
      def self.write(_bytes) = nil
    end

    # expected: what an output, once `normalize` has made spellings that mean the same equal, must be.
    def initialize(title, events:, bytes:, expected:, normalize: :itself.to_proc, &input)
      @title = title
      @events = events
      @bytes = bytes
      @expected = expected
      @normalize = normalize
      @input = input
      @contenders = {}
    end

    def add(name, &run)
      @contenders[name] = run
      self
    end

    def check
      @contenders.each do |name, run|
        sink = Keep.new
        run.call(@input.call, sink)
        compare(name, @normalize.call(sink.outputs))
      end
      self
    end

    def run(settings)
      check
      input = @input.call
      passes = @contenders.transform_values { |run| passes_for(settings.turn, input, run) }
      times = Hash.new { |all, name| all[name] = [] }
      settings.rounds.times do
        @contenders.each { |name, run| times[name] << time(input, run, passes[name]) }
      end
      @contenders.map do |name, run|
        ns = Bench.median(times[name]) / @events
        Result.new(name: name, ns: ns, rate: @bytes / (ns * @events) * 1000, objects: objects(run, @input.call).fdiv(@events))
      end
    end

    # Objects that a contender allocates for an input.
    def objects_of(name, input) = objects(@contenders.fetch(name), input)

    private

    def compare(name, output)
      return if output == @expected

      at = output.zip(@expected).index { |ours, theirs| ours != theirs } || output.size
      raise Different, "#{@title}: #{name} gave #{output.size} outputs, expected #{@expected.size}; number #{at} is " \
                       "#{output[at].inspect} instead of #{@expected[at].inspect}"
    end

    # Calibrates, and warms up on the way.
    def passes_for(turn, input, run)
      passes = 1
      while (taken = time(input, run, passes) * passes / 1e9) < turn
        passes = [passes * 2, (passes * turn / taken).ceil].min
      end
      passes
    end

    # Nanoseconds for one pass.
    def time(input, run, passes)
      GC.start
      start = cpu_time
      passes.times { run.call(input, Drop) }
      (cpu_time - start).fdiv(passes)
    end

    def objects(run, input)
      before = GC.stat(:total_allocated_objects)
      run.call(input, Drop)
      GC.stat(:total_allocated_objects) - before
    end

    def cpu_time = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond)
  end

  def self.median(numbers)
    sorted = numbers.sort
    (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
  end
end
