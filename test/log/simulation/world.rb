# frozen_string_literal: true

module Simulation
  # One run: logs, workers, readers, and what goes wrong, all of it by one seed.
  class World
    Log = Streamer::Log
    WORKERS = 5

    # Seconds of trouble; then everything works, and has to come to an end.
    TROUBLE = 25.0

    attr_reader :scheduler, :store, :network, :lease, :attempt_class, :catch_up_class
    attr_accessor :readers_done

    # The classes may have mistakes in them.
    def initialize(seed, logs: 100, attempt_class: Log::Attempt, store_class: Streamer::Stores::Memory, catch_up_class: Log::CatchUp)
      @scheduler = Scheduler.new(Random.new(seed))
      @store = World.observed(store_class).new(clock: -> { @scheduler.now })
      @store.scheduler = @scheduler
      @network = Network.new(@store, @scheduler)
      @attempt_class = attempt_class
      @catch_up_class = catch_up_class
      @lease = 6.0
      @keys = Array.new(logs) { |number| "log-#{number}" }
      @readers_done = @number = 0
      @until = @scheduler.now + TROUBLE
    end

    def self.observed(store_class)
      (@observed ||= {})[store_class] ||= Class.new(store_class) { prepend Observed }
    end

    # Raises Violation.
    def run
      @network.faults = random.rand(4).zero? ? 0 : random.rand(80)
      @workers = Array.new(WORKERS) { worker }
      @keys.each { |key| begin_log(key) }
      @scheduler.spawn("trouble") { trouble }
      @scheduler.spawn("reaper") { reap }
      @scheduler.run
      @keys.each { |key| examine(@store.accounts.fetch(key)) }
      self
    end

    # Whether every log has come to its end.
    def over? = !trouble? && @store.accounts.each_value.none?(&:open?)

    def trouble? = @scheduler.now < @until

    # An attempt has come to its end, perhaps.
    def told(worker, attempt)
      return unless attempt.outcome == :overdue && !attempt.instance_variable_get(:@told)

      attempt.instance_variable_set(:@told, true)
      sure = worker.certain(attempt) - (lease / 6)
      raise Violation, "#{attempt.key} was given up #{sure} s too early" if sure > 0.001
    end

    private

    def random = @scheduler.random

    def worker = Worker.new(self, "worker-#{@number += 1}")

    def begin_log(key)
      @store.create(key)
      @scheduler.spawn("queue") { queue(key) }
      (1 + random.rand(2)).times { @scheduler.spawn("reader") { Reader.new(self, key).run } }
    end

    # A queue that delivers at least once, and again where nothing has come of it.
    def queue(key)
      @scheduler.sleep(random.rand(8.0))
      account = @store.accounts.fetch(key)
      while account.open?
        (random.rand(6).zero? ? 2 : 1).times { work(key, random.rand(2).zero? ? "reset" : "continue") }
        @scheduler.sleep(4 + random.rand(lease * 3))
      end
    end

    def work(key, mode, entries: nil)
      worker = @workers.sample(random: random)
      @scheduler.spawn("job", worker) { Job.new(self, worker, key, mode: mode, entries: entries).run }
    end

    def reap
      until over?
        @scheduler.sleep(1 + random.rand(3.0))
        begin
          @network.overdue(limit: 20).each { |key| work(key, "continue", entries: 0) if random.rand(2).zero? }
          @network.expired(age: 5.0).each { |key| prune(key) }
        rescue Streamer::StoreUnavailableError
          nil
        end
      end
    end

    def prune(key, through = nil)
      through ||= @network.heads([key])[key]&.position or return
      @network.prune(key, through: through)
    end

    def trouble
      while trouble?
        @scheduler.sleep(random.rand(0.25))
        begin
          mischief(somewhere)
        rescue Streamer::StoreUnavailableError
          nil
        end
      end
      @network.faults = 0
      @network.away_until = 0
    end

    # Mostly a log that is being written.
    def somewhere
      6.times do
        key = @keys.sample(random: random)
        return key if @store.accounts.fetch(key).then { |account| account.open? && account.owner }
      end
      @keys.sample(random: random)
    end

    def mischief(key)
      case random.rand(100)
      when 0..29 then @store.lose_end(key, 1 + random.rand(4))
      when 30..44 then prune_some(key)
      when 45..59 then @scheduler.spawn("stop") { stop(key) }
      when 60..79 then pause(@workers.sample(random: random))
      when 80..84 then replace(random.rand(@workers.size))
      when 85..90 then @network.away_until = @scheduler.now + (random.rand(4).zero? ? random.rand(9.0) : random.rand(1.0))
      when 91 then @network.delete([key]) if random.rand(3).zero?
      end
    end

    def prune_some(key)
      account = @store.accounts.fetch(key)
      item = account.items.sample(random: random)
      prune(key, item.position) if item
    end

    # Of the attempt that somebody has seen, however long ago.
    def stop(key)
      head = @network.heads([key])[key] or return
      @scheduler.sleep(random.rand(3.0)) if random.rand(2).zero?
      @network.stop(key, epoch: head.epoch)
    rescue Streamer::StoreUnavailableError
      nil
    end

    def pause(worker) = worker.paused_until = @scheduler.now + (random.rand(2).zero? ? random.rand(2.0) : random.rand(lease * 2.5))

    def replace(index)
      @workers[index].kill
      @workers[index] = worker
    end

    def examine(account)
      return if account.deleted

      raise Violation, "#{account.key} was never closed" if account.state.nil?

      @store.examine(account)
      check_close(account)
    end

    def check_close(account)
      closes = account.items.select { |item| item.kind == :close }
      last = account.items.last
      raise Violation, "#{account.key} has #{closes.size} closes" unless closes.one? && closes.first.equal?(last)

      data = Log::Frames.entries(last.frame).first.json
      text = account.text
      true_ = [account.state, text.bytesize, Digest::SHA256.hexdigest(text)]
      return if data.values_at("state", "length", "sha256") == true_

      raise Violation, "#{account.key}'s close says #{data}, and it is #{true_}"
    end
  end
end
