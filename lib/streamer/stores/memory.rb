# frozen_string_literal: true

module Streamer
  module Stores
    # Logs in this process's memory: for development, tests, and applications of one process. They end with it.
    class Memory
      # What is kept of one log.
      Record = Struct.new(:head, :batches, :pieces, :lease_until, :closed_at)
      private_constant :Record

      # clock: what gives the store's time in seconds.
      def initialize(clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @clock = clock
        @lock = Monitor.new
        @records = {}
        @watches = Watches.new
      end

      # What a store does is said in Stores.
      # :stopdoc:

      def name = :memory

      def create(key)
        synchronize do
          next false if @records.key?(key)

          @records[key] = Record.new(Log::Head.new(key: key, created_at: Time.now), [], [])
          true
        end
      end

      def heads(keys)
        synchronize { keys.filter_map { |key| [key, head(@records[key])] if @records.key?(key) }.to_h }
      end

      def claim(key, owner:, lease:, mode: "reset")
        synchronize do
          record = @records[key]
          before = record && head(record)
          next unless before&.claimable_by?(owner)

          begin_attempt(record, before, owner, mode)
          record.lease_until = now + lease
          head(record)
        end
      end

      def append(appends)
        synchronize { appends.map { |append| store(append) } }
      end

      def renew(epochs, owner:, lease:)
        synchronize do
          epochs.each do |key, epoch|
            record = @records[key]
            record.lease_until = now + lease if record && written_by?(record.head, owner, epoch)
          end
          heads(epochs.keys)
        end
      end

      def release(key, epoch:, owner:)
        synchronize do
          record = @records[key] or next
          change(record, owner: nil) if written_by?(record.head, owner, epoch)
          head(record)
        end
      end

      def stop(key, epoch:)
        synchronize do
          record = @records[key] or next
          change(record, stop_epoch: epoch) if record.head.open? && record.head.epoch == epoch
          head(record)
        end
      end

      def read(positions, limit: 500)
        synchronize do
          positions.filter_map do |key, position|
            batches = @records[key]&.batches
            start = batches&.bsearch_index { |batch| batch.last > position }
            [key, batches[start, limit]] if start
          end.to_h
        end
      end

      def text(key)
        synchronize do
          record = @records[key]
          record ? record.pieces.select { |piece| piece.through.epoch >= record.head.text_epoch } : []
        end
      end

      def overdue(limit: 100)
        synchronize { @records.values.lazy.map { |record| head(record) }.select(&:overdue?).map(&:key).first(limit) }
      end

      def expired(age:, limit: 100)
        synchronize do
          @records.each_value.lazy.select { |record| expired?(record, age) }.map { |record| record.head.key }.first(limit)
        end
      end

      def prune(key, through:)
        synchronize do
          record = @records[key] or next
          position = [through, record.head.compacted].min
          gone = record.batches.take_while { |batch| batch.last <= position && batch.state.nil? }
          record.batches.shift(gone.size)
          change(record, pruned: gone.last.last) unless gone.empty?
          head(record)
        end
      end

      def delete(keys)
        synchronize { keys.each { |key| @records.delete(key) } }
        nil
      end

      def wake(keys) = @watches.call(keys)

      def watch(&block) = @watches.add(block)

      private

      def synchronize(&block) = @lock.synchronize(&block)

      def now = @clock.call

      def written_by?(head, owner, epoch) = head.open? && head.epoch == epoch && head.owner == owner

      # As of now: whether the lease runs depends on the time.
      def head(record)
        leased = record.head.open? && !record.head.owner.nil? && now < record.lease_until
        leased == record.head.leased? ? record.head : change(record, leased: leased)
      end

      def change(record, **changes) = record.head = record.head.with(**changes)

      def begin_attempt(record, before, owner, mode)
        epoch = before.epoch + 1
        reset = before.epoch.zero? || mode == "reset"
        frames = Log::Frames.attempt(epoch, reset ? "reset" : "continue", before.position)
        position = Log::Position.new(epoch, 0)
        record.batches << Log::Batch.new(first: position, last: position, frames: frames)
        change(record, epoch: epoch, sequence: 0, owner: owner, text_epoch: reset ? epoch : before.text_epoch,
                       interrupted: before.interrupted + (before.overdue? && before.owner != owner ? 1 : 0),
                       bytes: before.bytes + frames.bytesize)
      end

      def store(append)
        record = @records[append.key] or return Log::Head.missing(append.key)
        return head(record) unless append.fits?(record.head)

        record.batches << append.batch
        record.pieces << append.piece if append.piece
        record.closed_at = now if append.state
        change(record, sequence: append.last, state: append.state, bytes: record.head.bytes + append.frames.bytesize,
                       compacted: append.piece ? append.piece.through : record.head.compacted,
                       owner: append.state ? nil : record.head.owner)
        nil
      end

      def expired?(record, age)
        record.head.closed? && record.closed_at + age <= now && record.batches.size > 1
      end
    end
  end
end
