# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # claim.
      module Claims # :nodoc:
        def test_a_claim_begins_the_next_attempt
          key = log
          found = begun(key, owner: "one")

          assert_equal [1, 0, "one", 1, 0], [found.epoch, found.sequence, found.owner, found.text_epoch, found.interrupted]
          assert_predicate found, :leased?
          assert_predicate found, :open?
          assert_equal described(found), described(head(key))
          assert_predicate head(key), :leased?
        end

        def test_a_claim_stores_the_attempt_s_first_entry
          key = running
          first = Log::Frames.attempt(1, "reset", Log::Position::START)

          assert_equal [["1-0", "1-0", first, nil]], contents(key)
          assert_equal first.bytesize, head(key).bytes
        end

        def test_the_first_claim_is_a_reset_whatever_the_mode
          key = log
          found = begun(key, mode: "continue")

          assert_equal 1, found.text_epoch
          assert_equal Log::Frames.attempt(1, "reset", Log::Position::START), batches(key).first.frames
        end

        def test_a_log_is_not_claimed_while_the_lease_of_another_runs
          key = running
          stored(key, 0, 1)
          before = [described(head(key)), contents(key)]

          assert_nil claim(key, owner: "two")
          assert_nil claim(key, owner: "two", mode: "continue", on: second)
          assert_equal before, [described(head(key)), contents(key)]
        end

        def test_a_log_is_claimed_when_the_lease_of_another_is_over
          key = running(lease: SHORT)
          stored(key, 0, 3)
          outlast_short_leases
          found = begun(key, owner: "two", on: second)

          assert_equal [2, 0, "two", 1], [found.epoch, found.sequence, found.owner, found.interrupted]
          assert_predicate found, :leased?
          assert_equal Log::Frames.attempt(2, "reset", position("1-3")), batches(key).last.frames
        end

        def test_an_owner_claims_its_own_again
          key = running
          found = begun(key, owner: "one")

          assert_equal [2, 0, "one", 0], [found.epoch, found.sequence, found.owner, found.interrupted]
        end

        def test_an_owner_who_claims_its_own_again_too_late_was_not_interrupted
          key = running(lease: SHORT)
          outlast_short_leases

          assert_equal [2, 0], begun(key, owner: "one").then { |found| [found.epoch, found.interrupted] }
        end

        def test_interruptions_are_counted
          key = running(lease: SHORT)
          outlast_short_leases
          begun(key, owner: "two", lease: SHORT)
          outlast_short_leases

          assert_equal [3, 2], begun(key, owner: "three").then { |found| [found.epoch, found.interrupted] }
        end

        def test_a_reset_begins_the_text_anew
          key = running
          stored(key, 0, 1)
          found = begun(key, mode: "reset")

          assert_equal 2, found.text_epoch
          assert_equal Log::Frames.attempt(2, "reset", position("1-1")), batches(key).last.frames
        end

        def test_a_continued_attempt_keeps_the_text
          key = running
          stored(key, 0, 1)
          found = begun(key, mode: "continue")

          assert_equal [2, 1], [found.epoch, found.text_epoch]
          assert_equal Log::Frames.attempt(2, "continue", position("1-1")), batches(key).last.frames
          assert_equal 1, begun(key, mode: "continue").text_epoch
        end

        def test_a_claim_keeps_what_was_written
          key = running
          stored(key, 0, 1)
          before = contents(key)
          bytes = head(key).bytes
          begun(key)

          assert_equal before, contents(key).first(2)
          assert_equal %w[1-0 1-1 2-0], lasts(key)
          assert_equal bytes + batches(key).last.frames.bytesize, head(key).bytes
        end

        def test_a_closed_log_is_not_claimed
          key = running
          stored(key, 0, 1, state: "completed")

          assert_nil claim(key)
          assert_nil claim(key, owner: "two")
          assert_equal %w[1-0 1-1], lasts(key)
        end

        def test_an_unknown_log_is_not_claimed
          assert_nil claim("absent")
          assert_empty store.heads(["absent"])
          assert_empty batches("absent")
        end
      end
    end
  end
end
