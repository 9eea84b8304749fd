# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # append.
      module Appends # :nodoc:
        def test_an_append_that_fits_is_stored
          key = running
          bytes = head(key).bytes
          stored(key, 0, 1)
          stored(key, 1, 4)

          assert_equal [["1-1", "1-1", frames(1, 1..1), nil], ["1-2", "1-4", frames(1, 2..4), nil]], contents(key).drop(1)
          assert_equal 4, head(key).sequence
          assert_equal bytes + frames(1, 1..4).bytesize, head(key).bytes
        end

        def test_an_append_of_an_earlier_attempt_is_refused
          key = running
          stored(key, 0, 1)
          begun(key, owner: "one")
          refused(key, 1, 2)
          refused(key, 0, 1)
          refused(key, 0, 1, state: "completed")
        end

        def test_an_append_of_an_attempt_that_has_not_begun_is_refused
          refused(running, 0, 1, epoch: 2)
          refused(log, 0, 1, epoch: 1)
        end

        def test_an_append_that_was_stored_already_is_refused
          key = running
          stored(key, 0, 2)

          assert_equal 2, refused(key, 0, 2).sequence
          assert_equal 2, refused(key, 1, 2).sequence
        end

        def test_an_append_that_would_leave_a_hole_is_refused
          key = running

          assert_equal 0, refused(key, 1, 2).sequence
        end

        def test_an_append_to_a_closed_log_is_refused
          key = running
          stored(key, 0, 1, state: "failed")

          assert_equal "failed", refused(key, 1, 2).state
          assert_equal "failed", refused(key, 1, 2, state: "completed").state
        end

        def test_an_append_to_an_attempt_that_is_to_stop_is_refused
          key = running
          store.stop(key, epoch: 1)

          assert_predicate refused(key, 0, 1), :stop?
        end

        def test_a_close_of_an_attempt_that_is_to_stop_is_stored
          key = running
          store.stop(key, epoch: 1)
          stored(key, 0, 1, state: "cancelled")

          assert_equal "cancelled", head(key).state
        end

        def test_an_append_to_an_unknown_log_is_answered_and_makes_none
          answer = append("absent", 0, 1)

          assert_predicate answer, :missing?
          assert_equal "absent", answer.key
          assert_empty store.heads(["absent"])
          assert_empty batches("absent")
        end

        def test_a_close_is_stored_with_its_entries
          Log::Frames::STATES.each_key do |state|
            key = running
            stored(key, 0, 3, state: state)

            assert_equal [state, 3, nil], head(key).then { |found| [found.state, found.sequence, found.owner] }
            refute_predicate head(key), :leased?
            refute_predicate head(key), :overdue?
            assert_equal [nil, state], batches(key).map(&:state)
          end
        end

        def test_a_refused_close_closes_nothing
          key = running

          assert_predicate refused(key, 1, 2, state: "completed"), :open?
          assert_equal "one", head(key).owner
        end

        def test_an_append_does_not_need_a_running_lease
          key = running(lease: SHORT)
          outlast_short_leases
          stored(key, 0, 1)

          assert_predicate head(key), :overdue?
        end

        def test_the_piece_is_stored_with_its_append
          key = running
          stored(key, 0, 1)
          stored(key, 1, 3, piece: piece("1-3", "text", "events"))

          assert_equal [["1-3", "text", "events"]], texts(key)
          assert_equal position("1-3"), head(key).compacted
        end

        def test_the_piece_of_a_refused_append_is_not_stored
          key = running
          refused(key, 1, 2, piece: piece("1-2", "text"))

          assert_empty store.text(key)
          assert_equal Log::Position::START, head(key).compacted
        end

        def test_one_append_that_does_not_fit_does_not_hinder_the_others
          keys = Array.new(9) { running }.shuffle(random: Random.new(9))
          store.stop(keys[4], epoch: 1)
          unfit = [1, 4, 7]
          appends = keys.map.with_index do |key, index|
            index == 7 ? batch("absent", 0, 1) : batch(key, index == 1 ? 5 : 0, index == 1 ? 6 : 1)
          end
          answers = store.append(appends)

          assert_equal(unfit, answers.each_index.reject { |index| answers[index].nil? })
          assert_equal([keys[1], keys[4], "absent"], unfit.map { |index| answers[index].key })
          assert_equal(keys.values_at(1, 4, 7), keys.select { |key| head(key).sequence.zero? })
          assert_equal(6, keys.count { |key| lasts(key) == %w[1-0 1-1] })
        end

        def test_many_appends_at_once
          keys = Array.new(300) { running }
          2.times do |round|
            answers = store.append(keys.map { |key| batch(key, round, round + 1, piece: piece("1-#{round + 1}", "x")) })

            assert_equal [nil] * 300, answers
          end
          assert_equal [[2, position("1-2")]], store.heads(keys).values.map { |head| [head.sequence, head.compacted] }.uniq
          assert_equal [%w[1-0 1-1 1-2]], keys.map { |key| lasts(key) }.uniq
        end

        def test_no_appends_have_no_answers
          assert_equal [], store.append([])
        end
      end
    end
  end
end
