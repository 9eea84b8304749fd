# frozen_string_literal: true

require_relative "generation_case"
require "support/log_tables"
require "support/patience"

# That what is in progress is what lives, whatever happens (STEPS=10000 for more of it, SEED= for the same again). Numbers in names are rows
# of the table of failures that issue 13 names.
class LimitsTest < GenerationCase
  include Patience

  LIMIT = 3
  STEPS = Integer(ENV.fetch("STEPS", "1000"))

  # What a worker has in its hands: the generation, and the head of its claim.
  Held = Struct.new(:generation, :head)

  def test_55_86_random_starts_ends_kills_and_stops_keep_to_the_limit_on_memory
    @now = 0
    play(Streamer::Stores::Memory.new(clock: -> { @now }), STEPS, lease: 30) { |seconds| @now += seconds }
  end

  def test_55_86_random_starts_ends_kills_and_stops_keep_to_the_limit_on_sqlite
    LogTables.create(ActiveRecord::Base)
    play(Streamer::Stores::ActiveRecord.new, STEPS / 5, lease: 600) { |_| expire_leases }
  end

  def test_75_fifty_threads_with_one_key_start_one_generation
    ActiveRecord::Base.establish_connection(ActiveRecord::Base.connection_db_config.configuration_hash.merge(pool: 60, timeout: 30_000))
    owner = Owner.create!
    found = Array.new(50) { Thread.new { owner.generations.start!(idempotency_key: "click").id } }.map(&:value)

    assert_equal([1, 1, 1], [found.uniq.size, Answer.count, @adapter.enqueued_jobs.size])
    3.times { work(Answer.first) { |out| out << "once" } }

    assert_equal([1, "once"], [Answer.first.upstream_requests.count, Answer.first.content])
  end

  def test_75_processes_with_one_key_start_one_generation
    owner = Owner.create!
    config = ActiveRecord::Base.connection_db_config.configuration_hash.merge(timeout: 30_000)
    ActiveRecord::Base.remove_connection
    output = Array.new(4) do
      reader, writer = IO.pipe
      pid = fork do
        ActiveRecord::Base.establish_connection(config)
        writer.puts(Array.new(5) { Owner.find(owner.id).generations.start!(idempotency_key: "click").id }.uniq.join(","))
        exit!(0)
      end
      writer.close
      [pid, reader]
    end
    ids = output.map { |pid, reader| reader.read.chomp.tap { Process.wait(pid) } }
    ActiveRecord::Base.establish_connection(config)

    assert_equal([1, 1], [ids.uniq.size, Answer.count])
    assert_equal(Answer.first.id.to_s, ids.first)
  end

  private

  def play(store, steps, lease:, &time)
    Streamer::Log.store = store
    Work.retry_streams(interruptions: 1)
    seed = Integer(ENV.fetch("SEED", Random.new_seed.to_s)) % 1_000_000
    @random = Random.new(seed)
    @lease = lease
    @queued, @held, @dead = Hash.new { |all, owner| all[owner] = [] }, Hash.new { |all, owner| all[owner] = [] }, []
    owners = Array.new(2) { Owner.create! }
    steps.times { |number| step(owners.sample(random: @random), "step #{number} of seed #{seed}", &time) }
  ensure
    Work.retry_streams(interruptions: 3)
  end

  def step(owner, where, &time)
    case @random.rand(100)
    when 0...40 then begin_one(owner, where)
    when 40...65 then take(owner)
    when 65...80 then finish(owner)
    when 80...90 then stop(owner)
    when 90...97 then kill(owner, &time)
    else Streamer::Log::Background.new(Streamer::Log.store).reaper.round
    end
  end

  # Where there is room it begins, and where there is none it does not.
  def begin_one(owner, where)
    expected = @queued[owner].size + @held[owner].size

    assert_operator(expected, :<=, LIMIT, where)
    @queued[owner] << Owner.find(owner.id).generations.start!

    assert_operator(expected, :<, LIMIT, "#{where}: one too many")
  rescue Streamer::LimitReachedError
    assert_equal(LIMIT, expected, "#{where}: refused, though there is room")
  end

  def take(owner)
    generation = @queued[owner].shift or return
    @held[owner] << Held.new(generation, claim(generation))
  end

  def claim(generation)
    Streamer::Log.store.claim(generation.log_key, owner: "worker #{generation.id}", lease: @lease) or flunk "not claimed"
  end

  def finish(owner)
    held = @held[owner].shift or return
    close(held)
    held.generation.settle
  end

  def close(held, state = "completed")
    position = held.head.position.next
    frames = Streamer::Log::Frames.entry(position, { state: state }, event: Streamer::Log::Frames::STATES.fetch(state))
    append = Streamer::Log::Append.new(key: held.head.key, epoch: held.head.epoch, after: position.sequence - 1, last: position.sequence,
                                       frames: frames, state: state)

    assert_nil(Streamer::Log.store.append([append]).first)
  end

  # A queued one ends at once, one that is worked on when its worker has heard of it.
  def stop(owner)
    if (generation = @queued[owner].shift)
      assert(generation.stop!)
    elsif (held = @held[owner].shift)
      held.generation.stop!
      close(held, "cancelled")
      held.generation.settle
    end
  end

  # Nothing is heard of the worker any more; its slot is free when the lease is over, not before.
  def kill(owner)
    return if @held[owner].empty?

    gone = @held[owner].shift
    others = @held.values.flatten
    yield @lease / 2 if others.empty?
    yield @lease + 1
    others.each { |held| Streamer::Log.store.renew({ held.head.key => held.head.epoch }, owner: "worker #{held.generation.id}", lease: @lease) }
    @dead << gone
  end

  def expire_leases
    ActiveRecord::Base.connection.execute("UPDATE streamer_logs SET lease_until = 1 WHERE owner IS NOT NULL AND state IS NULL")
  end
end
