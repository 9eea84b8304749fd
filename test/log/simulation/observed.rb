# frozen_string_literal: true

module Simulation
  # A store in memory whose every answer is compared with what is true, and which may lose the ends of logs.
  module Observed
    Position = Streamer::Log::Position

    attr_accessor :scheduler

    def accounts = @accounts ||= {}

    def create(key) = super.tap { |made| accounts[key] = Account.new(key) if made }

    def heads(keys) = super.each { |key, head| compare(key, head) }

    def claim(key, owner:, lease:, mode: "reset")
      account = accounts.fetch(key)
      head = super
      return refused_claim(account, owner) unless head

      expect(account, "was claimed while it is closed, gone or another's", account.open? && claimable?(account, owner))
      before = account.position
      account.claim(owner, lease, mode, scheduler.now)
      begin_account(account, before)
      compare(key, head)
      head
    end

    def append(appends)
      sizes = appends.map { |append| size(append.key) }
      answers = super
      expect(accounts.values.first, "has no answer for each append", answers.size == appends.size) unless appends.empty?
      appends.zip(answers, sizes) { |append, answer, before| appended(accounts.fetch(append.key), append, answer, before) }
      answers
    end

    def renew(epochs, owner:, lease:)
      epochs.each { |key, epoch| accounts.fetch(key).renew(owner, epoch, lease, scheduler.now) }
      super.each { |key, head| compare(key, head) }
    end

    def release(key, epoch:, owner:)
      accounts.fetch(key).release(owner, epoch)
      super.tap { |head| compare(key, head) if head }
    end

    def stop(key, epoch:)
      accounts.fetch(key).stop(epoch)
      super.tap { |head| compare(key, head) if head }
    end

    def read(positions, limit: 500)
      super.tap { |found| positions.each { |key, position| compare_read(accounts.fetch(key), position, limit, found[key]) } }
    end

    def text(key)
      account = accounts.fetch(key)
      super.tap do |pieces|
        next if pieces.empty?

        expect(account, "has pieces that are not its text", pieces.map(&:text).join.b == account.text(pieces.last.through))
      end
    end

    def prune(key, through:)
      super.tap do |head|
        compare(key, head) if head
        unpruned(accounts.fetch(key)) if head
      end
    end

    def delete(keys)
      super
      keys.each { |key| accounts.fetch(key).deleted = true }
    end

    # The last batches of an open log vanish, none of them an attempt's first, and with them what came with them. What came before something
    # that is still there does not: a piece whose entries were pruned since.
    def lose_end(key, count)
      record = @records[key] or return
      return unless record.head.open?

      floor = record.pieces.map(&:through).find { |through| through >= record.head.pruned && record.head.pruned > Position::START }
      count.times { record.batches.pop if losable?(record.batches.last, floor) }
      position = record.batches.last&.last || record.head.pruned
      record.pieces.reject! { |piece| piece.through > position }
      change(record, sequence: position.sequence, compacted: record.pieces.last&.through || Position::START)
      accounts.fetch(key).lose(position)
    end

    # All of it, at the end: what is there, and what is not.
    def examine(account)
      record = @records.fetch(account.key)
      entries = record.batches.flat_map { |batch| Streamer::Log::Frames.split(batch.frames) }
      expect(account, "has other entries than were stored", entries == account.items.last(entries.size).map(&:frame))
      expect(account, "has lost its close", record.batches.last&.state == account.state)
      rest = account.current.select { |item| item.position > (record.pieces.last&.through || Position::START) }
      pieces = record.pieces.select { |piece| piece.through.epoch >= account.text_epoch }
      expect(account, "has another text than its entries", pieces.map(&:text).join + rest.filter_map(&:text).join == account.text)
    end

    private

    def losable?(batch, floor) = batch && batch.last.sequence.positive? && (floor.nil? || batch.last > floor)

    def expect(account, what, true_) = true_ || raise(Violation, "#{account.key} #{what}")

    def size(key) = @records[key]&.then { |record| [record.batches.size, record.pieces.size, record.head.sequence, record.head.state] }

    def claimable?(account, owner) = !account.leased?(scheduler.now) || account.owner == owner

    def refused_claim(account, owner)
      expect(account, "could not be claimed, though nobody has it", !account.open? || !claimable?(account, owner))
      nil
    end

    def begin_account(account, before)
      batch = @records[account.key].batches.last
      data = Streamer::Log::Frames.entries(batch.frames).first.json
      expected = { "n" => account.epoch, "mode" => account.text_epoch == account.epoch ? "reset" : "continue",
                   "from" => before == Position::START ? nil : before.to_s }
      position = Position.new(account.epoch, 0)
      expect(account, "has a wrong attempt #{data}, not #{expected}", data == expected && batch.first == position && batch.last == position)
      account.items << account.make(position, batch.frames, :attempt, nil)
    end

    def compare(key, head)
      account = accounts.fetch(key)
      expect(account, "is there again", !account.deleted)
      true_ = [account.epoch, account.sequence, account.state, account.owner, account.stop_epoch, account.text_epoch, account.interrupted,
               account.leased?(scheduler.now)]
      said = [head.epoch, head.sequence, head.state, head.owner, head.stop_epoch, head.text_epoch, head.interrupted, head.leased?]
      expect(account, "is said to be #{said}, and is #{true_}", false) if said != true_
    end

    # That what was read is what is there behind the position, without a hole.
    def compare_read(account, position, limit, batches)
      return expect(account, "was read after it was deleted", batches.nil?) if account.deleted

      items = account.items
      index = items.bsearch_index { |item| item.position > [position, @records[account.key].head.pruned].max }
      return expect(account, "was read beyond its end", batches.nil?) if index.nil?

      expect(account, "was not read from there on", batches && batches.first.first <= items[index].position)
      expect(account, "was read with a hole", batches.each_cons(2).all? { |one, two| follows?(one.last, two.first) })
      expect(account, "was read in part", batches.size == limit || batches.last.last == account.position)
    end

    def follows?(position, first) = position.next == first || (first.epoch > position.epoch && first.sequence.zero?)

    def fits?(account, append)
      account.open? && account.epoch == append.epoch && account.sequence == append.after &&
        (append.state || account.stop_epoch < account.epoch)
    end

    def appended(account, append, answer, before)
      fits = fits?(account, append)
      return refused(account, append, answer, fits, before) if answer

      expect(account, "took #{append.position} and those before, which do not fit", false) unless fits
      store_account(account, append)
      batch = @records[account.key].batches.last
      expect(account, "has another batch than was appended", batch.frames == append.frames && batch.last == append.position)
      piece = @records[account.key].pieces.last
      expect(account, "has lost a piece", append.piece.nil? || piece.equal?(append.piece))
    end

    def refused(account, append, answer, fits, before)
      expect(account, "refused #{append.position}, which fits", false) if fits
      expect(account, "took a part of what it refused", size(account.key) == before)
      answer.missing? ? expect(account, "is not missing", account.deleted) : compare(account.key, answer)
    end

    def store_account(account, append)
      frames = Streamer::Log::Frames.split(append.frames)
      expect(account, "took other entries than it was said", frames.size == append.last - append.after)
      frames.each.with_index(append.first) do |frame, sequence|
        account.items << known(account, Position.new(append.epoch, sequence), frame, append)
      end
      account.close(append.state, append.epoch) if append.state
    end

    # The entry as its writer made it; a close is made where nobody sees it.
    def known(account, position, frame, append)
      item = account.made[position.to_s]
      return item if item && item.frame == frame

      expect(account, "has other bytes than were made", item.nil? && append.state && position.sequence == append.last)
      expect(account, "has a close of another state", Streamer::Log::Frames.entries(frame).first.state == append.state)
      account.make(position, frame, :close, nil)
    end

    # What was pruned is in pieces, and what is in no piece was not.
    def unpruned(account)
      record = @records[account.key]
      first = record.batches.first
      rest = account.items.reject { |item| first && item.position >= first.first }
      kept = record.pieces.last&.through || Position::START
      expect(account, "was pruned of what is in no piece", rest.empty? || rest.last.position <= kept)
      expect(account, "was pruned of its close", account.state.nil? || record.batches.last&.state)
      expect(account, "says wrongly through where it was pruned", rest.empty? || record.head.pruned == rest.last.position)
    end
  end
end
