# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # prune, expired and delete.
      module Retention # :nodoc:
        # Batches 1-0, 1-1..1-2, 1-3..1-4 (with a piece), 1-5.
        def compacted
          running.tap do |key|
            stored(key, 0, 2)
            stored(key, 2, 4, piece: piece("1-4", "text"))
            stored(key, 4, 5)
          end
        end

        # The same with a close, 1-6..1-7, that has a piece.
        def closed
          compacted.tap { |key| stored(key, 5, 7, state: "completed", piece: piece("1-7", "rest")) }
        end

        def test_pruned_entries_are_gone
          key = compacted
          found = store.prune(key, through: position("1-2"))

          assert_equal position("1-2"), found.pruned
          assert_equal described(found), described(head(key))
          assert_equal %w[1-4 1-5], lasts(key)
        end

        def test_a_batch_is_pruned_whole_or_not_at_all
          key = compacted

          assert_equal position("1-2"), store.prune(key, through: position("1-3")).pruned
          assert_equal %w[1-4 1-5], lasts(key)
        end

        def test_nothing_is_pruned_that_is_not_in_a_piece
          key = compacted

          assert_equal position("1-4"), store.prune(key, through: position("1-5")).pruned
          assert_equal %w[1-5], lasts(key)
          without = running
          stored(without, 0, 1)
          assert_equal Log::Position::START, store.prune(without, through: position("1-1")).pruned
          assert_equal %w[1-0 1-1], lasts(without)
        end

        def test_the_close_is_never_pruned
          key = closed

          assert_equal position("1-5"), store.prune(key, through: position("1-7")).pruned
          assert_equal [["1-6", "1-7", frames(1, 6..7), "completed"]], contents(key)
        end

        def test_the_text_stays_when_entries_are_pruned
          key = closed
          store.prune(key, through: position("1-7"))

          assert_equal [["1-4", "text", ""], ["1-7", "rest", ""]], texts(key)
          assert_equal ["completed", 7, position("1-7")], head(key).then { |found| [found.state, found.sequence, found.compacted] }
        end

        def test_what_was_pruned_stays_so
          key = compacted
          store.prune(key, through: position("1-4"))

          assert_equal position("1-4"), store.prune(key, through: position("1-2")).pruned
          assert_equal position("1-4"), store.prune(key, through: position("1-4")).pruned
        end

        def test_a_pruned_log_is_written_on
          key = compacted
          store.prune(key, through: position("1-4"))
          stored(key, 5, 6)

          assert_equal %w[1-5 1-6], lasts(key)
          assert_equal %w[1-6], lasts(key, after: "1-5")
        end

        def test_an_unknown_log_is_not_pruned
          assert_nil store.prune("absent", through: position("1-1"))
        end

        def test_expired_are_logs_closed_long_enough_ago
          key = closed
          others = [compacted, log]

          refute_includes store.expired(age: LONG), key
          outlast_short_leases
          found = eventually("the closed log is found") { store.expired(age: SHORT, limit: 1000).then { |keys| keys if keys.include?(key) } }
          assert_empty others & found
        end

        def test_a_pruned_log_is_expired_no_more
          key = closed
          eventually("the closed log is found") { store.expired(age: 0, limit: 1000).include?(key) }
          store.prune(key, through: position("1-7"))

          refute_includes store.expired(age: 0, limit: 1000), key
        end

        def test_the_expired_are_limited
          3.times { closed }

          assert_equal 2, eventually("two are found") { store.expired(age: 0, limit: 2).then { |keys| keys if keys.size >= 2 } }.uniq.size
        end

        def test_a_deleted_log_is_gone_with_everything
          key = closed
          overdue = running(lease: SHORT)
          outlast_short_leases
          store.delete([key, overdue, "absent"])

          assert_empty store.heads([key, overdue])
          assert_empty batches(key)
          assert_empty store.text(key)
          assert_empty [key, overdue] & (store.expired(age: 0, limit: 1000) + store.overdue(limit: 1000))
        end

        def test_deleting_a_log_leaves_the_others
          keys = Array.new(2) { compacted }
          before = [described(head(keys[1])), contents(keys[1]), texts(keys[1])]
          store.delete([keys[0]])

          assert_equal before, [described(head(keys[1])), contents(keys[1]), texts(keys[1])]
          store.delete([])
        end

        def test_a_deleted_log_is_not_brought_back
          key = compacted
          store.delete([key])

          assert_predicate append(key, 5, 6), :missing?
          assert_predicate append(key, 5, 6, state: "completed", piece: piece("1-6", "text")), :missing?
          assert_nil claim(key)
          assert_nil store.stop(key, epoch: 1)
          assert_nil store.release(key, epoch: 1, owner: "one")
          assert_equal({}, store.renew({ key => 1 }, owner: "one", lease: LONG))
          assert_empty store.heads([key])
          assert_empty batches(key)
        end

        def test_a_log_that_is_made_again_is_a_new_one
          key = closed
          store.prune(key, through: position("1-4"))
          store.delete([key])
          log(key)

          assert_equal [key, nil, 0, 0, 0, Log::Position::START, Log::Position::START, 0, nil, 0, 0], described(head(key))
          begun(key)
          assert_equal %w[1-0], lasts(key)
          assert_empty store.text(key)
        end
      end
    end
  end
end
