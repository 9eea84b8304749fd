# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # stop.
      module Stops # :nodoc:
        def test_a_stop_is_kept_until_the_attempt_has_ended
          key = running
          found = second.stop(key, epoch: 1)

          assert_equal [1, true, true, "one"], [found.stop_epoch, found.stop?, found.leased?, found.owner]
          assert_predicate head(key), :stop?
          assert_predicate store.renew({ key => 1 }, owner: "one", lease: LONG).fetch(key), :stop?
        end

        def test_a_stop_of_another_attempt_changes_nothing
          key = running
          begun(key)
          before = described(head(key))

          assert_equal before, described(store.stop(key, epoch: 1))
          assert_equal before, described(store.stop(key, epoch: 3))
          assert_equal before, described(head(key))
        end

        def test_a_stop_does_not_reach_the_next_attempt
          key = running
          store.stop(key, epoch: 1)
          found = begun(key)

          refute_predicate found, :stop?
          assert_equal 1, found.stop_epoch
          stored(key, 0, 1, epoch: 2)
        end

        def test_a_closed_log_is_not_stopped
          key = running
          stored(key, 0, 1, state: "completed")

          assert_equal ["completed", 0], store.stop(key, epoch: 1).then { |found| [found.state, found.stop_epoch] }
        end

        def test_a_queued_log_has_no_attempt_to_stop
          found = store.stop(key = log, epoch: 1)

          assert_equal [0, false], [found.stop_epoch, found.stop?]
          begun(key)
          stored(key, 0, 1)
        end

        def test_an_unknown_log_is_not_stopped
          assert_nil store.stop("absent", epoch: 1)
          assert_empty store.heads(["absent"])
        end
      end
    end
  end
end
