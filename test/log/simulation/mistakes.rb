# frozen_string_literal: true

module Simulation
  # Mistakes in the rules, one each, in subclasses of what has the rules: the simulation has to find every one of them.
  module Mistakes
    Log = Streamer::Log
    Position = Log::Position

    @all = {}

    class << self
      # Name => options of World.
      attr_reader :all

      private

      def mistake(option, parent, name, &body) = @all[name] = { option => Class.new(parent, &body) }

      def attempt(name, &body) = mistake(:attempt_class, Log::Attempt, name, &body)

      def store(name, &body) = mistake(:store_class, Streamer::Stores::Memory, name, &body)

      def reader(name, &body) = mistake(:catch_up_class, Log::CatchUp, name, &body)
    end

    # Writers

    attempt "what was stored, and whose answer was lost, is appended once more under new numbers" do
      def settle(append, answer)
        return super if outcome || answer.nil? || append.state || answer.epoch != epoch || answer.sequence != append.last || answer.stop?

        @kept[@next] = Log::Append.new(key: key, epoch: epoch, after: append.last, last: append.last + append.last - append.after,
                                       frames: append.frames)
      end
    end

    attempt "what was stored, and whose answer was lost, counts as another's" do
      def settle(append, answer) = answer && answer.sequence == append.last ? finish(:fenced) : super
    end

    attempt "a lost end is not noticed" do
      def settle(append, answer) = super(append, answer && answer.epoch == epoch && answer.sequence < append.after ? nil : answer)
    end

    attempt "a lost end is appended again from one batch too late" do
      def stored(count) = super(count < @next ? count + 1 : count)
    end

    attempt "a lost end is written anew" do
      def stored(count)
        @kept[count..] = @kept[count..].map { |append| changed(append) } if count < @next
        super
      end

      def changed(append) = append.dup.tap { |copy| copy.instance_variable_set(:@frames, append.frames.sub("H", "h")) }
    end

    attempt "a fenced writer goes on to try" do
      def ready? = @next < @kept.size || entries.positive?
      def finish(outcome) = @outcome = outcome
    end

    attempt "a log that another has closed counts as closed by this one" do
      def settle(append, answer) = answer&.closed? ? finish(:closed) : super
    end

    attempt "a stop is not heard from a refused append" do
      def stop = nil
      def renewed(head, sent) = super(head&.with(stop_epoch: 0), sent)
    end

    attempt "a stop is not heard while nothing is appended" do
      def renewed(head, sent) = super(head&.with(stop_epoch: 0), sent)
    end

    attempt "what was refused for a stop is dropped" do
      def stop
        @stopping = true
        @kept.slice!(@next..)
        @taken = @sequence
      end
    end

    attempt "the piece of what was refused for a stop is dropped" do
      def stop
        @compactor.define_singleton_method(:give_back) { |_| nil }
        super
      end
    end

    attempt "a continued attempt's checksum leaves out the pieces before it" do
      def resume(_text) = nil
    end

    attempt "a continued attempt leaves out what is in no piece yet" do
      def resume_entry(entry, _frame)
        text = Log::Compactor.text_of_entry(entry)
        @compactor.resume(text) if text
      end
    end

    attempt "a writer goes on when its lease is over" do
      def look_at_lease(_now) = nil
    end

    attempt "a lease counts from the answer" do
      def initialize(*, now:, **) = super.tap { @clock = now }

      def renewed(head, sent)
        super
        @lease_until += 3 if sent && outcome.nil? && head&.leased?
      end
    end

    attempt "something is added behind the close" do
      def over? = !outcome.nil?

      def take(now)
        closing = @closing
        @closing = nil if closing && entries > 1 && @next == @kept.size && !stopping?
        super.tap { @closing = closing || @closing }
      end
    end

    attempt "a stopped writer says that it has closed as it wanted" do
      def finish(outcome) = super(outcome == :stopped ? :closed : outcome)
    end

    attempt "another attempt's number is no reason to give up where the entry's is the same" do
      def settle(append, answer) = super(append, answer && answer.sequence == append.last ? nil : answer)
    end

    # Stores

    store "an earlier attempt's append is taken" do
      def store(append)
        head = @records[append.key]&.head
        return super unless head&.open? && append.epoch < head.epoch && append.after == head.sequence

        @records[append.key].batches << append.batch
        change(@records[append.key], sequence: append.last).then { nil }
      end
    end

    store "the entry before is not compared" do
      def store(append)
        head = @records[append.key]&.head
        change(@records[append.key], sequence: append.after) if head&.open? && head.epoch == append.epoch
        super
      end
    end

    store "a stop is not compared with the append" do
      def store(append)
        record = @records[append.key] or return super
        stop = record.head.stop_epoch
        change(record, stop_epoch: 0)
        super.tap { change(record, stop_epoch: stop) }.then { |answer| answer && head(record) }
      end
    end

    store "a refused close closes" do
      def store(append)
        super.tap { |answer| change(@records[append.key], state: append.state) if answer&.open? && append.state }
      end
    end

    store "a claim does not look at the lease" do
      def claim(key, owner:, **options)
        synchronize { (record = @records[key]) && record.head.open? && record.lease_until && record.lease_until = 0 }
        super
      end
    end

    store "a claim keeps the attempt's number" do
      def begin_attempt(record, before, owner, mode)
        return super if before.epoch.zero?

        change(record, owner: owner)
      end
    end

    store "a reset keeps the text of the attempts before" do
      def begin_attempt(record, before, owner, mode) = super.tap { change(record, text_epoch: [before.text_epoch, 1].max) }
    end

    store "a renewal looks neither at the attempt nor at the owner" do
      def renew(epochs, owner:, lease:)
        synchronize { epochs.each_key { |key| @records[key]&.then { |record| record.lease_until = now + lease } } }
        super
      end
    end

    store "a late release takes the log from the next attempt" do
      def release(key, epoch:, owner:)
        synchronize { @records[key]&.then { |record| change(record, owner: nil) if record.head.open? } }
        super
      end
    end

    store "a late stop stops the next attempt" do
      def stop(key, **) = super(key, epoch: @records[key]&.head&.epoch)
    end

    store "entries are pruned that are in no piece" do
      def prune(key, through:)
        synchronize do
          record = @records[key] or next
          change(record, compacted: record.head.position) if record.head.epoch.positive?
          super
        end
      end
    end

    store "the close is pruned" do
      def prune(key, through:) = super.tap { |head| head&.closed? && through >= head.position && @records[key].batches.clear }
    end

    store "a refused append's piece is kept" do
      def store(append) = super.tap { |answer| @records[append.key].pieces << append.piece if answer&.open? && append.piece }
    end

    store "an append's piece is lost" do
      def store(append) = super.tap { |answer| @records[append.key].pieces.pop if answer.nil? && append.piece && append.last.even? }
    end

    store "the text of attempts that are void is given out" do
      def text(key) = synchronize { @records[key] ? @records[key].pieces.dup : [] }
    end

    store "the answers to several appends are mixed up" do
      def append(appends) = super.rotate
    end

    store "a portion leaves out a batch" do
      def read(positions, limit: 500)
        super.transform_values { |batches| batches.size == limit && limit > 1 ? batches[0..-3] + batches[-1..] : batches }
      end
    end

    # Readers

    reader "what was pruned meanwhile is not missed" do
      def self.follows?(*) = true
    end

    reader "a gap does not say that what was before is void" do
      def gap(after) = super(after == Position::START ? @after : after)

      def held?(*) = true
    end

    reader "a reader that is ahead of the log is sent all of it again" do
      def look
        super.tap { @position = Position::START if ahead? }
        @mode = :start if @mode == :ahead
        @mode
      end
    end

    reader "the text and the entries that are in it are both sent" do
      def gap(after) = super.tap { @position = beginning if @mode.nil? }
    end
  end
end
