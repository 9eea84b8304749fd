# frozen_string_literal: true

# Stores with one rule broken each, and the test of Streamer::Testing::StoreConformance that has to fail on them.
module BrokenStores
  @all = []

  class << self
    attr_reader :all # [[test's name, class of the store]]

    private

    def broken(name, &body) = @all << [name, Class.new(Streamer::Stores::Memory, &body)]
  end

  Log = Streamer::Log
  START = Log::Position::START

  # create, heads

  broken :test_a_log_is_created_once do
    def create(key) = super.nil? || true
  end

  broken :test_creating_a_log_that_is_there_changes_nothing do
    def create(key) = delete([key]).then { super }
  end

  broken :test_a_new_log_is_queued_and_empty do
    def create(key) = super.tap { claim(key, owner: "maker", lease: 1) }
  end

  broken :test_heads_are_of_those_that_are_there do
    def heads(keys) = keys.to_h { |key| [key, Log::Head.missing(key)] }.merge(super)
  end

  broken :test_heads_of_many_keys do
    def heads(keys) = super(keys.first(1000))
  end

  broken :test_a_log_is_seen_by_another_process do
    def second_view = dup.tap { |view| view.define_singleton_method(:heads) { |_| {} } }
  end

  broken :test_keys_are_told_apart_exactly do
    def create(key) = super(key.downcase)
    def heads(keys) = super(keys.map(&:downcase))
  end

  # claim

  broken :test_a_claim_begins_the_next_attempt do
    def claim(key, owner:, lease:, mode: "reset") = super(key, owner: "somebody", lease: lease, mode: mode)
  end

  broken :test_a_claim_stores_the_attempt_s_first_entry do
    def begin_attempt(record, *) = super.tap { record.batches.pop }
  end

  broken :test_the_first_claim_is_a_reset_whatever_the_mode do
    def begin_attempt(record, before, owner, mode) = super(record, before.with(epoch: 1), owner, mode)
  end

  broken :test_a_log_is_not_claimed_while_the_lease_of_another_runs do
    def claim(key, owner:, **options) = heads([key])[key]&.owner.then { |present| super(key, owner: present || owner, **options) }
  end

  broken :test_a_log_is_claimed_when_the_lease_of_another_is_over do
    def claim(key, owner:, **options)
      head = heads([key])[key]
      super unless head&.owner && head.owner != owner
    end
  end

  broken :test_an_owner_claims_its_own_again do
    def claim(key, **options) = heads([key])[key]&.leased? ? nil : super
  end

  broken :test_an_owner_who_claims_its_own_again_too_late_was_not_interrupted do
    def begin_attempt(record, before, owner, mode)
      super.tap { change(record, interrupted: before.interrupted + 1) if before.overdue? }
    end
  end

  broken :test_interruptions_are_counted do
    def begin_attempt(record, *) = super.tap { change(record, interrupted: [record.head.interrupted, 1].min) }
  end

  broken :test_a_reset_begins_the_text_anew do
    def begin_attempt(record, before, *) = super.tap { change(record, text_epoch: [before.text_epoch, 1].max) }
  end

  broken :test_a_continued_attempt_keeps_the_text do
    def begin_attempt(record, *) = super.tap { change(record, text_epoch: record.head.epoch) }
  end

  broken :test_a_claim_keeps_what_was_written do
    def begin_attempt(record, *) = super.tap { record.batches.shift(record.batches.size - 1) }
  end

  broken :test_a_closed_log_is_not_claimed do
    def claim(key, **options) = synchronize { (record = @records[key]) && change(record, state: nil) }.then { super }
  end

  broken :test_an_unknown_log_is_not_claimed do
    def claim(key, **options) = create(key).then { super }
  end

  # append

  broken :test_an_append_that_fits_is_stored do
    def store(append) = super.tap { |answer| change(@records[append.key], bytes: 0) if answer.nil? }
  end

  broken :test_an_append_of_an_earlier_attempt_is_refused do
    def store(append)
      head = @records[append.key]&.head
      return super unless head && append.epoch < head.epoch

      super(Log::Append.new(key: append.key, epoch: head.epoch, after: head.sequence, last: head.sequence + 1, frames: append.frames))
    end
  end

  broken :test_an_append_of_an_attempt_that_has_not_begun_is_refused do
    def store(append)
      head = @records[append.key]&.head
      head && append.epoch > head.epoch && change(@records[append.key], epoch: append.epoch, sequence: 0)
      super
    end
  end

  broken :test_an_append_that_was_stored_already_is_refused do
    def store(append)
      head = @records[append.key]&.head
      head && head.sequence == append.last ? @records[append.key].batches.push(append.batch).then { nil } : super
    end
  end

  broken :test_an_append_that_would_leave_a_hole_is_refused do
    def store(append)
      head = @records[append.key]&.head
      change(@records[append.key], sequence: append.after) if head&.open? && head.epoch == append.epoch && head.sequence < append.after
      super
    end
  end

  broken :test_an_append_to_a_closed_log_is_refused do
    def store(append)
      record = @records[append.key]
      return super unless record&.head&.closed?

      record.batches << append.batch
      change(record, sequence: append.last).then { nil }
    end
  end

  broken :test_an_append_to_an_attempt_that_is_to_stop_is_refused do
    def store(append) = @records[append.key]&.then { |record| change(record, stop_epoch: 0) }.then { super }
  end

  broken :test_a_close_of_an_attempt_that_is_to_stop_is_stored do
    def store(append) = @records[append.key]&.head&.stop? ? head(@records[append.key]) : super
  end

  broken :test_an_append_to_an_unknown_log_is_answered_and_makes_none do
    def store(append) = create(append.key).then { super }
  end

  broken :test_a_close_is_stored_with_its_entries do
    def store(append)
      owner = @records[append.key]&.head&.owner
      super.tap { |answer| change(@records[append.key], owner: owner) if answer.nil? && append.state }
    end
  end

  broken :test_a_refused_close_closes_nothing do
    def store(append)
      super.tap { |answer| change(@records[append.key], state: append.state) if answer && @records.key?(append.key) && append.state }
    end
  end

  broken :test_an_append_does_not_need_a_running_lease do
    def store(append) = @records[append.key] && !head(@records[append.key]).leased? ? head(@records[append.key]) : super
  end

  broken :test_the_piece_is_stored_with_its_append do
    def store(append) = super.tap { @records[append.key]&.pieces&.pop }
  end

  broken :test_the_piece_of_a_refused_append_is_not_stored do
    def store(append) = super.tap { |answer| answer && append.piece && @records[append.key]&.pieces&.push(append.piece) }
  end

  broken :test_one_append_that_does_not_fit_does_not_hinder_the_others do
    def append(appends)
      before = synchronize { appends.to_h { |append| [append.key, heads([append.key])[append.key]] } }
      return super if appends.all? { |append| before[append.key] && append.fits?(before[append.key]) }

      appends.map { |append| before[append.key] || Log::Head.missing(append.key) }
    end
  end

  broken :test_one_append_that_does_not_fit_does_not_hinder_the_others do
    def append(appends) = super(appends.sort_by(&:key))
  end

  broken :test_many_appends_at_once do
    def append(appends) = super(appends.first(250)) + ([nil] * [appends.size - 250, 0].max)
  end

  broken :test_no_appends_have_no_answers do
    def append(appends) = appends.empty? ? nil : super
  end

  # bytes

  broken :test_bytes_are_kept_as_they_are do
    def read(*, **) = super.transform_values { |batches| batches.map { |batch| changed(batch, batch.frames.gsub("\r".b, "\n".b)) } }

    def changed(batch, frames) = Log::Batch.new(first: batch.first, last: batch.last, frames: frames, state: batch.state)
  end

  broken :test_bytes_are_kept_as_they_are do
    def text(*) = super.map { |piece| Log::Piece.new(through: piece.through, text: piece.text.delete("\0"), events: piece.events) }
  end

  broken :test_bytes_are_binary_strings do
    def text(*) = super.map { |piece| Log::Piece.new(through: piece.through, text: piece.text.dup.force_encoding("UTF-8"), events: piece.events) }
  end

  broken :test_an_empty_piece_is_a_piece do
    def text(*) = super.reject { |piece| piece.text.empty? }
  end

  broken :test_large_batches_and_pieces_are_stored do
    def text(*) = super.map { |piece| Log::Piece.new(through: piece.through, text: piece.text[0, 65_535], events: piece.events) }
  end

  broken :test_what_was_read_does_not_change do
    def read(*, **)
      @cache = super.each { |key, batches| @cache&.fetch(key, nil)&.zip(batches) { |old, new| old.frames.replace(new.frames + "x") } }
    end
  end

  broken :test_positions_are_large do
    def read(positions, **options)
      super(positions.transform_values { |position| Log::Position.new(position.epoch, [position.sequence, (2**24) - 1].min) }, **options)
    end
  end

  # read, text

  broken :test_what_is_behind_a_position_is_read_in_order do
    def read(*, **) = super.transform_values { |batches| batches.sort_by { |batch| batch.last.sequence } }
  end

  broken :test_a_position_within_a_batch_gives_the_whole_batch do
    def read(positions, **options)
      super.transform_values.with_index { |batches, index| batches.select { |batch| batch.first > positions.values[index] } }
    end
  end

  broken :test_a_position_behind_an_earlier_attempt_s_last_gives_the_next_attempt do
    def read(positions, **options)
      super.transform_values.with_index { |batches, index| batches.select { |batch| batch.last.sequence > positions.values[index].sequence } }
    end
  end

  broken :test_logs_with_nothing_behind_the_position_are_left_out do
    def read(positions, **options) = positions.keys.to_h { |key| [key, []] }.merge(super)
  end

  broken :test_each_log_is_read_from_its_own_position do
    def read(positions, **options) = super(positions.transform_values { positions.values.min }, **options)
  end

  broken :test_the_limit_is_of_batches_for_each_log do
    def read(positions, limit: 500)
      left = limit
      super.transform_values { |batches| batches.first(left).tap { |found| left -= found.size } }.reject { |_, found| found.empty? }
    end
  end

  broken :test_a_log_is_read_whole_in_portions do
    def read(positions, limit: 500) = super(positions).transform_values { |batches| batches.last(limit) }
  end

  broken :test_many_logs_are_read_at_once do
    def read(positions, **options) = super(positions.first(1000).to_h, **options)
  end

  broken :test_the_pieces_are_in_order do
    def text(key) = super.sort_by { |piece| piece.through.to_s }
  end

  broken :test_a_continued_text_has_the_pieces_of_the_attempts_before do
    def text(key) = super.select { |piece| piece.through.epoch == heads([key])[key].epoch }
  end

  broken :test_a_reset_text_has_none_of_them do
    def text(key) = synchronize { @records[key] ? @records[key].pieces.dup : [] }
  end

  broken :test_an_unknown_log_has_no_text do
    def text(key) = super.then { |pieces| pieces.empty? ? nil : pieces }
  end

  # renew, release, overdue

  broken :test_a_lease_is_over_after_its_time do
    def claim(key, lease:, **options) = super(key, lease: lease * 1000, **options)
  end

  broken :test_a_renewed_lease_runs_on do
    def renew(epochs, owner:, lease:) = heads(epochs.keys).transform_values { |head| head.with(leased: true) }
  end

  broken :test_a_lease_that_is_over_is_renewed_where_nobody_has_claimed do
    def renew(epochs, owner:, lease:)
      super(epochs.select { |key, _| heads([key])[key]&.leased? }, owner: owner, lease: lease).merge(heads(epochs.keys))
    end
  end

  broken :test_a_renewal_of_no_seconds_ends_the_lease do
    def renew(epochs, owner:, lease:) = super(epochs, owner: owner, lease: [lease, 1].max)
  end

  broken :test_a_lease_of_another_owner_is_not_renewed do
    def written_by?(head, _owner, epoch) = head.open? && head.epoch == epoch
  end

  broken :test_a_lease_of_another_attempt_is_not_renewed do
    def written_by?(head, owner, _epoch) = head.open? && head.owner == owner
  end

  broken :test_a_closed_log_has_no_lease_to_renew do
    def renew(epochs, owner:, lease:)
      super.to_h { |key, head| [key, head.closed? ? head.with(owner: owner) : head] }
    end
  end

  broken :test_a_renewal_answers_for_all_logs do
    def renew(epochs, owner:, lease:) = super.select { |_, head| head.owner == owner }
  end

  broken :test_many_leases_are_renewed_at_once do
    def renew(epochs, owner:, lease:) = super(epochs.first(500).to_h, owner: owner, lease: lease).merge(heads(epochs.keys))
  end

  broken :test_a_released_log_is_claimed_at_once do
    def release(key, epoch:, owner:) = heads([key])[key]
  end

  broken :test_only_its_owner_releases_a_log do
    def release(key, epoch:, owner:) = heads([key])[key]&.then { |head| super(key, epoch: head.epoch, owner: head.owner) }
  end

  broken :test_overdue_are_open_logs_whose_lease_is_over do
    def overdue(limit: 100) = synchronize { @records.values.map { |record| head(record) }.reject(&:leased?).map(&:key).first(limit) }
  end

  broken :test_the_overdue_are_limited do
    def overdue(limit: 100) = super(limit: limit + 1)
  end

  # stop

  broken :test_a_stop_is_kept_until_the_attempt_has_ended do
    def renew(*, **) = super.tap { |heads| heads.each_key { |key| change(@records[key], stop_epoch: 0) } }.then { |heads| heads(heads.keys) }
  end

  broken :test_a_stop_of_another_attempt_changes_nothing do
    def stop(key, epoch:) = heads([key])[key]&.then { |head| super(key, epoch: head.epoch) }
  end

  broken :test_a_stop_does_not_reach_the_next_attempt do
    def begin_attempt(record, before, *)
      super.tap { change(record, stop_epoch: record.head.epoch) if before.stop? }
    end
  end

  broken :test_a_closed_log_is_not_stopped do
    def stop(key, epoch:) = synchronize { @records[key]&.then { |record| change(record, stop_epoch: epoch) } }
  end

  broken :test_a_queued_log_has_no_attempt_to_stop do
    def stop(key, epoch:) = synchronize { @records[key]&.then { |record| change(record, stop_epoch: epoch) } }
  end

  broken :test_an_unknown_log_is_not_stopped do
    def stop(key, epoch:) = create(key).then { super }
  end

  # prune, expired, delete

  broken :test_pruned_entries_are_gone do
    def prune(key, through:) = super.tap { |head| change(@records[key], pruned: START) if head }.then { heads([key])[key] }
  end

  broken :test_a_batch_is_pruned_whole_or_not_at_all do
    def prune(key, through:)
      batch = @records[key]&.batches&.find { |found| found.last >= through }
      super(key, through: batch ? batch.last : through)
    end
  end

  broken :test_nothing_is_pruned_that_is_not_in_a_piece do
    def prune(key, through:)
      synchronize do
        (record = @records[key]) && change(record, compacted: record.head.position)
        super
      end
    end
  end

  broken :test_the_close_is_never_pruned do
    def prune(key, through:) = super.tap { |head| head&.closed? && through >= head.position && @records[key].batches.clear }
  end

  broken :test_the_text_stays_when_entries_are_pruned do
    def prune(key, through:) = super.tap { |head| head && @records[key].pieces.reject! { |piece| piece.through <= through } }
  end

  broken :test_what_was_pruned_stays_so do
    def prune(key, through:) = super.tap { |head| head && change(@records[key], pruned: through) }.then { heads([key])[key] }
  end

  broken :test_a_pruned_log_is_written_on do
    def prune(key, through:) = super.tap { |head| head && change(@records[key], sequence: @records[key].batches.size) }
  end

  broken :test_an_unknown_log_is_not_pruned do
    def prune(key, through:) = super || Log::Head.missing(key)
  end

  broken :test_expired_are_logs_closed_long_enough_ago do
    def expired?(record, _age) = record.head.closed? && record.batches.size > 1
  end

  broken :test_a_pruned_log_is_expired_no_more do
    def expired?(record, age) = record.head.closed? && record.closed_at + age <= now
  end

  broken :test_the_expired_are_limited do
    def expired(age:, limit: 100) = super(age: age, limit: limit + 1)
  end

  broken :test_a_deleted_log_is_gone_with_everything do
    def delete(keys) = synchronize { (@gone ||= {}).update(@records.slice(*keys)) }.then { super }

    def text(key) = super + (@gone&.fetch(key, nil)&.pieces || [])
  end

  broken :test_deleting_a_log_leaves_the_others do
    def delete(keys) = super(keys.empty? ? [] : @records.keys)
  end

  broken :test_a_deleted_log_is_not_brought_back do
    def store(append) = @records.key?(append.key) ? super : create(append.key).then { claim(append.key, owner: "", lease: 1) }.then { super }
  end

  broken :test_a_log_that_is_made_again_is_a_new_one do
    def delete(keys) = synchronize { (@gone ||= {}).update(@records.slice(*keys)) }.then { super }

    def claim(key, **options) = super.tap { @records[key]&.batches&.unshift(*@gone&.fetch(key, nil)&.batches) }
  end

  # wake, watch

  broken :test_a_watch_is_told_of_a_wake do
    def wake(_keys) = nil
  end

  broken :test_a_watch_is_told_of_a_wake_in_another_process do
    def second_view = dup.tap { |view| view.define_singleton_method(:wake) { |_| nil } }
  end

  broken :test_every_watch_is_told do
    def watch = super.tap { |watch| @last = watch }

    def wake(keys) = @last&.call(keys)
  end

  broken :test_a_watch_is_told_of_several_keys do
    def wake(keys) = super(keys.first(1))
  end

  broken :test_a_closed_watch_is_told_nothing_more do
    def watch = super.tap { |watch| watch.define_singleton_method(:close) { nil } }
  end

  broken :test_a_watch_says_how_long_one_may_wait_without_being_told do
    def watch = super.tap { |watch| watch.define_singleton_method(:interval) { 3600 } }
  end

  broken :test_a_watch_that_raises_harms_nobody do
    def watch = super.tap { |watch| (@all ||= []) << watch }

    def wake(keys) = @all.each { |watch| watch.call(keys) }
  end

  broken :test_a_wake_raises_nothing do
    def wake(keys) = heads(keys).fetch(keys.first) && super
  end

  broken :test_a_watch_is_closed_twice_without_harm do
    def watch
      super.tap do |watch|
        close = watch.method(:close)
        watch.define_singleton_method(:close) { close ? close.call.tap { close = nil } : raise("closed twice") }
      end
    end
  end

  # at once

  # A store that looks, and then writes, without a lock.
  unlocked = proc do
    def synchronize = yield.tap { Thread.pass }

    def head(record) = super.tap { sleep(0.01) }
  end

  broken :test_one_of_many_claims_at_once, &unlocked
  broken :test_one_of_many_reapers_claims_at_once, &unlocked

  broken :test_one_of_many_appends_at_the_same_place_at_once do
    def synchronize = yield

    def store(append)
      record = @records[append.key]
      return super unless record && append.fits?(record.head)

      sleep(0.001)
      record.batches << append.batch
      change(record, sequence: append.last).then { nil }
    end
  end

  broken :test_one_of_many_closes_at_once do
    def synchronize = yield

    def store(append)
      record = @records[append.key]
      return super unless record && append.fits?(record.head)

      sleep(0.001)
      record.batches << append.batch
      change(record, sequence: append.last, state: append.state).then { nil }
    end
  end

  broken :test_many_logs_are_written_at_once do
    def append(appends)
      answers = synchronize { appends.map { |append| append.fits?(@records[append.key].head) } }
      sleep(0.001)
      super.zip(answers).map { |answer, fits| fits ? nil : answer }
    end
  end

  broken :test_a_claim_comes_before_or_behind_an_append do
    def synchronize = yield

    def begin_attempt(*) = sleep(0.004).then { super }

    # Within the other's wait, whoever comes first.
    def append(appends) = sleep(0.002).then { super }
  end

  broken :test_a_stop_comes_before_or_behind_an_append do
    def synchronize = yield

    def store(append)
      head = @records[append.key].head
      return super unless append.fits?(head)

      sleep(0.001)
      @records[append.key].batches << append.batch
      @records[append.key].head = head.with(sequence: append.last)
      nil
    end
  end

  broken :test_a_reader_sees_no_hole_while_a_log_is_written do
    def read(*, **) = super.transform_values { |batches| batches.size > 1 ? batches.values_at(0, *2...batches.size) : batches }
  end

  # away

  broken :test_whoever_cannot_reach_the_database_is_told_so do
    def unreachable = self.class.new
  end

  broken :test_a_wake_raises_nothing_while_the_database_is_away do
    def unreachable = self.class.new.tap { |view| view.define_singleton_method(:wake) { |_| raise Streamer::StoreUnavailableError, "away" } }
  end
end
