# frozen_string_literal: true

module Simulation
  # A process that writes: its attempts, what stores their entries together, and what renews their leases. As Committer and LeaseKeeper do,
  # without threads.
  class Worker
    Log = Streamer::Log

    attr_reader :owner, :attempts
    attr_accessor :paused_until

    def initialize(world, owner)
      @world = world
      @owner = owner
      @paused_until = 0
      @attempts = {} # key => Attempt
      @reserved = []
      @renewed = {}.compare_by_identity # Attempt => when the last renewal was sent that was answered
      world.scheduler.spawn("committer", self) { commit }
      world.scheduler.spawn("keeper", self) { keep }
    end

    def dead? = @dead == true

    def kill = @dead = true

    # The attempt that was begun, or nil.
    def begin(key, mode)
      return if @attempts.key?(key) || @reserved.include?(key)

      @reserved << key
      begin
        claim(key, mode)
      ensure
        @reserved.delete(key)
      end
    end

    def leave(attempt) = @attempts.delete_if { |_, other| other.equal?(attempt) }

    # Seconds of the lease that an attempt may still count on.
    def certain(attempt) = @renewed.fetch(attempt) + @world.lease - now

    private

    def network = @world.network
    def scheduler = @world.scheduler
    def now = scheduler.now

    def claim(key, mode)
      sent = now
      head = network.claim(key, owner: owner, lease: @world.lease, mode: mode) or return
      attempt = @world.attempt_class.new(head, owner: owner, lease: @world.lease, now: sent)
      resume(attempt, head) if head.text_epoch < head.epoch
      @renewed[attempt] = sent
      @attempts[key] = attempt
    end

    # As the library does.
    def resume(attempt, head)
      background = Log::Background.allocate
      background.instance_variable_set(:@store, network)
      background.send(:resume, attempt, head)
    end

    def commit
      until @world.over? && @attempts.empty?
        taken = @attempts.values.filter_map { |attempt| (append = take(attempt)) && [attempt, append] }
        taken.shuffle!(random: scheduler.random)
        store(taken) unless taken.empty?
        scheduler.sleep(0.02 + scheduler.random.rand(0.2))
      end
    end

    def take(attempt)
      over = !attempt.outcome.nil?
      attempt.take(now).tap { |append| raise Violation, "#{attempt.key} goes on after #{attempt.outcome}" if append && over }
    end

    def store(taken)
      answers = network.append(taken.map(&:last))
      taken.zip(answers) { |(attempt, append), answer| settle(attempt, append, answer) }
    rescue Streamer::StoreUnavailableError
      scheduler.sleep(scheduler.random.rand(1.0))
      taken.select! { |attempt, _| attempt.ready? }
      retry unless taken.empty?
    end

    def settle(attempt, append, answer)
      attempt.settle(append, answer)
      @world.told(self, attempt)
      raise Violation, "#{attempt.key} counts #{attempt.waiting} bytes as waiting" if attempt.waiting.negative?
    end

    def keep
      until @world.over? && @attempts.empty?
        scheduler.sleep(scheduler.random.rand(@world.lease / 3.0))
        scheduler.random.rand(4).zero? ? look : renew
        @attempts.each_value { |attempt| look_at_lease(attempt) }
      end
    end

    def look
      attempts = @attempts.values
      heads = network.heads(attempts.map(&:key))
      attempts.each { |attempt| renewed(attempt, heads[attempt.key], nil) }
    rescue Streamer::StoreUnavailableError
      nil
    end

    def renew
      attempts = @attempts.values
      sent = now
      heads = network.renew(attempts.to_h { |attempt| [attempt.key, attempt.epoch] }, owner: owner, lease: @world.lease)
      attempts.each { |attempt| renewed(attempt, heads[attempt.key], sent) }
    rescue Streamer::StoreUnavailableError
      nil
    end

    def renewed(attempt, head, sent)
      over = attempt.over?
      attempt.renewed(head, sent)
      @renewed[attempt] = sent if sent && head&.owner == owner && head.epoch == attempt.epoch && head.leased?
      @world.told(self, attempt)
      heard = over || attempt.outcome || attempt.stopping? || !head&.stop?
      raise Violation, "#{attempt.key} does not heed a stop" unless heard
    end

    def look_at_lease(attempt)
      attempt.look_at_lease(now)
      @world.told(self, attempt)
      return if attempt.outcome || certain(attempt).positive?

      raise Violation, "#{attempt.key} is written on after its lease"
    end
  end
end
