# frozen_string_literal: true

module Simulation
  # Work that writes a log, in a worker: a few entries, and an end, which may be none.
  class Job
    Log = Streamer::Log
    TEXTS = ["Hel", "lo ", "\n", "\n\n", "é", "€uro", "\r\n", "data: x", "😀", "  "].freeze
    STATES = %w[completed completed completed failed timed_out cancelled].freeze

    def initialize(world, worker, key, mode:, entries: nil)
      @world = world
      @worker = worker
      @key = key
      @mode = mode
      @random = world.scheduler.random
      @entries = entries || @random.rand(14)
    end

    def run
      attempt = @worker.begin(@key, @mode) or return
      write(attempt)
      finish(attempt)
    rescue Streamer::StoreUnavailableError
      nil # the queue tries again
    ensure
      @worker.leave(attempt) if attempt
    end

    private

    def scheduler = @world.scheduler

    def account = @world.store.accounts.fetch(@key)

    def write(attempt)
      @entries.times do
        break if attempt.over? || attempt.stopping?

        add(attempt)
        scheduler.sleep(@random.rand(3).zero? ? @random.rand(2.0) : @random.rand(0.1)) if @random.rand(3).positive?
      end
    end

    def finish(attempt)
      case @random.rand(12)
      when 0, 1 then return give_back(attempt)
      when 2 then return scheduler.sleep(@random.rand(@world.lease * 2.0)) # its thread dies, and the process keeps nothing of it
      end
      @state = STATES.sample(random: @random)
      unless attempt.over? || attempt.stopping?
        attempt.close(@state, { usage: @random.rand(100) })
        add(attempt) if attempt.over? == false
      end
      scheduler.sleep(0.2) until attempt.outcome
      check(attempt)
    end

    # What is said to a writer is so.
    def check(attempt)
      case attempt.outcome
      when :closed then expect(account.closed_by == attempt.epoch && account.state == @state, attempt)
      when :stopped then expect(account.closed_by == attempt.epoch && account.state == "cancelled", attempt)
      when :fenced then expect(account.epoch > attempt.epoch || account.deleted, attempt)
      end
    end

    def expect(truth, attempt)
      return if truth || account.deleted

      raise Violation, "#{@key}: attempt #{attempt.epoch} was told #{attempt.outcome} (#{@state}); the log is #{account.state.inspect} by attempt " \
                       "#{account.closed_by.inspect}, in attempt #{account.epoch}"
    end

    # Once all is stored, where that comes to pass.
    def give_back(attempt)
      scheduler.sleep(0.1) until attempt.outcome || attempt.waiting.zero? || @random.rand(20).zero?
      scheduler.sleep(@random.rand(@world.lease)) if @random.rand(2).zero?
      return if attempt.outcome

      attempt.finish(:released)
      @world.network.release(@key, epoch: attempt.epoch, owner: @worker.owner)
    end

    def add(attempt)
      case @random.rand(8)
      when 0 then add_event(attempt)
      when 1 then attempt.add(nil, kind: :state) { |position| frame(position, :state, nil, { phase: "searching" }, "state") }
      when 2 then add_several(attempt)
      else add_text(attempt)
      end
    end

    def add_text(attempt)
      text = text()
      attempt.add(text.b) { |position| frame(position, :data, text.b, { content: text }, "token") }
    end

    def add_event(attempt)
      attempt.add(nil) { |position| frame(position, :data, nil, { source: @random.rand(100) }, "source") }
    end

    # As a relay does.
    def add_several(attempt)
      texts = Array.new(1 + @random.rand(3)) { text }
      position = attempt.position
      frames = texts.map { |text| frame(position = position.next, :data, text.b, { content: text }, "token") }
      attempt.add_frames(frames.join.b, frames.size, text: texts.join.b)
    end

    # Now and then one that a piece is made of at once.
    def text
      text = TEXTS.sample(@random.rand(1..3), random: @random).join
      @random.rand(30).zero? ? text * (10_000 / text.bytesize) : text
    end

    def frame(position, kind, text, data, event)
      Log::Frames.entry(position, data, event: event).tap { |frame| account.make(position, frame, kind, text) }
    end
  end
end
