# frozen_string_literal: true

require "digest"

module Trials
  # A process that writes one attempt of a log, and says what it was told. What it writes depends on nothing but the entry's place.
  class Author
    Log = Streamer::Log
    LEASE = 0.8

    attr_reader :pid

    # What the data entry at a position is.
    def self.frame(position)
      text = "#{position};é\r\n" * (1 + (position.sequence * 7919 % 9))
      Log::Frames.entry(position, { content: text }, event: "token")
    end

    # port: of a proxy. point, append: where it dies, see FragileStore; nil where it lives. skew: seconds that its clock is wrong by.
    def initialize(site, key, mode:, entries:, port: nil, point: nil, append: nil, skew: 0)
      @site = site
      @key = key
      @mode = mode
      @entries = entries
      @port = port
      @point = point
      @append = append
      @skew = skew
      @answer, pipe = IO.pipe
      @pid = fork { work(pipe) }
      pipe.close
    end

    # Whether it has ended.
    def over? = @over ||= !Process.wait(@pid, Process::WNOHANG).nil?

    def kill(signal)
      Process.kill(signal, @pid) unless over?
    rescue Errno::ESRCH
      nil
    end

    # Whether it comes to its end by itself.
    def end_by(deadline)
      kill(:CONT)
      sleep(0.005) until over? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      over?
    end

    def finish
      kill(:CONT)
      kill(:KILL)
      Process.wait(@pid) unless over?
      @over = true
    end

    # "closed completed 2", "fenced 1", ... or "" of one that has died.
    def told = @told ||= @answer.read

    private

    def work(pipe)
      $stderr.reopen(File::NULL)
      set_clock
      store = @site.store(port: @port)
      store = FragileStore.new(store, @point, @append, @site.statements) if @point
      pipe << write(short_leases(store))
    ensure
      pipe.flush
      exit!(true)
    end

    # As if somebody had set the process's clock; the store's is another.
    def set_clock
      skew = @skew
      return if skew.zero?

      Time.singleton_class.prepend(Module.new { define_method(:now) { |**options| super(**options) + skew } })
      Process.singleton_class.prepend(Module.new do
        define_method(:clock_gettime) { |id, *unit| id == Process::CLOCK_REALTIME && unit.empty? ? super(id) + skew : super(id, *unit) }
      end)
    end

    def short_leases(store)
      background = Log::Background.new(store)
      background.instance_variable_set(:@lease_keeper, Log::LeaseKeeper.new(store, lease: LEASE))
      background
    end

    def write(background)
      writer = background.claim(@key, mode: @mode) or return "nothing"
      add(writer)
      "closed #{writer.close("completed")} #{writer.epoch}"
    rescue Streamer::FencedError
      writer ? "fenced #{writer.epoch}" : "nothing"
    rescue Streamer::StoppedError
      "closed #{writer.close("completed")} #{writer.epoch}"
    rescue StandardError => error
      "other #{error.class}: #{error.message}"
    end

    def add(writer)
      random = Random.new(writer.epoch + @entries)
      @entries.times do
        frame = Author.frame(writer.position.next)
        writer.append_frames(frame, 1, text: Log::Frames.entries(frame).first.json["content"].b)
        sleep(random.rand(0.004)) if random.rand(2).zero?
      end
    end
  end
end
