# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # renew, release and overdue.
      module Leases # :nodoc:
        def renew(epochs, owner: "one", lease: LONG, on: store) = on.renew(epochs, owner: owner, lease: lease)

        def test_a_lease_is_over_after_its_time
          key = running(lease: SHORT)
          outlast_short_leases

          assert_predicate head(key), :overdue?
          refute_predicate head(key), :leased?
          assert_equal "one", head(key).owner
        end

        def test_a_renewed_lease_runs_on
          key = running(lease: SHORT)
          found = renew({ key => 1 })
          outlast_short_leases

          assert_predicate found.fetch(key), :leased?
          assert_predicate head(key), :leased?
          assert_nil claim(key, owner: "two", on: second)
        end

        def test_a_lease_that_is_over_is_renewed_where_nobody_has_claimed
          key = running(lease: SHORT)
          outlast_short_leases

          assert_predicate renew({ key => 1 }).fetch(key), :leased?
          assert_nil claim(key, owner: "two")
        end

        def test_a_renewal_of_no_seconds_ends_the_lease
          key = running

          assert_predicate renew({ key => 1 }, lease: 0).fetch(key), :overdue?
          assert_includes store.overdue, key
          assert_equal 1, begun(key, owner: "two").interrupted
        end

        def test_a_lease_of_another_owner_is_not_renewed
          key = running(lease: SHORT)
          found = renew({ key => 1 }, owner: "two")
          outlast_short_leases

          assert_equal "one", found.fetch(key).owner
          assert_predicate head(key), :overdue?
        end

        def test_a_lease_of_another_attempt_is_not_renewed
          key = running
          begun(key, lease: SHORT)
          renew({ key => 1 })
          outlast_short_leases

          assert_predicate head(key), :overdue?
        end

        def test_a_closed_log_has_no_lease_to_renew
          key = running
          stored(key, 0, 1, state: "completed")
          found = renew({ key => 1 }).fetch(key)

          assert_equal ["completed", nil, false], [found.state, found.owner, found.leased?]
        end

        def test_a_renewal_answers_for_all_logs
          mine = running
          other = log
          begun(other, owner: "two")
          stopped = running
          store.stop(stopped, epoch: 1)
          found = renew({ mine => 1, other => 1, "absent" => 1, stopped => 1 })

          assert_equal [mine, other, stopped].sort, found.keys.sort
          assert_equal [true, true, true], found.values.map(&:leased?)
          assert_equal [false, false, true], found.values_at(mine, other, stopped).map(&:stop?)
          assert_equal({}, renew({}))
        end

        def test_many_leases_are_renewed_at_once
          keys = Array.new(600) { running(lease: SHORT) }
          renew(keys.to_h { |key| [key, 1] })
          outlast_short_leases

          assert_equal [true], store.heads(keys).values.map(&:leased?).uniq
        end

        def test_a_released_log_is_claimed_at_once
          key = running
          stored(key, 0, 1)
          found = store.release(key, epoch: 1, owner: "one")

          assert_equal [nil, false, 1, 1], [found.owner, found.leased?, found.epoch, found.sequence]
          assert_predicate head(key), :open?
          assert_equal [2, 0], begun(key, owner: "two", on: second).then { |head| [head.epoch, head.interrupted] }
        end

        def test_only_its_owner_releases_a_log
          key = running

          assert_equal "one", store.release(key, epoch: 1, owner: "two").owner
          assert_equal "one", store.release(key, epoch: 2, owner: "one").owner
          assert_nil claim(key, owner: "two")
          assert_nil store.release("absent", epoch: 1, owner: "one")
        end

        def test_overdue_are_open_logs_whose_lease_is_over
          overdue = running(lease: SHORT)
          closed = running(lease: SHORT)
          stored(closed, 0, 1, state: "completed")
          released = running(lease: SHORT)
          store.release(released, epoch: 1, owner: "one")
          others = [closed, released, log, running]
          outlast_short_leases
          found = eventually("the overdue log is found") { store.overdue(limit: 1000).then { |keys| keys if keys.include?(overdue) } }

          assert_empty others & found
          begun(overdue, owner: "two")
          refute_includes store.overdue(limit: 1000), overdue
        end

        def test_the_overdue_are_limited
          3.times { running(lease: SHORT) }
          outlast_short_leases

          assert_equal 2, store.overdue(limit: 2).uniq.size
        end
      end
    end
  end
end
