# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # read.
      module Reads # :nodoc:
        # Batches 1-0, 1-1..1-3, 1-4, 2-0, 2-1..2-2.
        def two_attempts
          running.tap do |key|
            stored(key, 0, 3)
            stored(key, 3, 4)
            begun(key)
            stored(key, 0, 2, epoch: 2)
          end
        end

        def test_what_is_behind_a_position_is_read_in_order
          key = two_attempts

          assert_equal %w[1-0 1-3 1-4 2-0 2-2], lasts(key)
          assert_equal %w[1-0 1-1 1-4 2-0 2-1], batches(key).map { |batch| batch.first.to_s }
          assert_equal %w[1-3 1-4 2-0 2-2], lasts(key, after: "1-0")
          assert_equal %w[1-4 2-0 2-2], lasts(key, after: "1-3")
          assert_equal %w[2-0 2-2], lasts(key, after: "1-4")
          assert_equal %w[2-2], lasts(key, after: "2-0")
        end

        def test_a_position_within_a_batch_gives_the_whole_batch
          key = two_attempts

          assert_equal %w[1-3 1-4 2-0 2-2], lasts(key, after: "1-1")
          assert_equal frames(1, 1..3), batches(key, after: "1-2").first.frames
          assert_equal %w[2-2], lasts(key, after: "2-1")
        end

        def test_a_position_behind_an_earlier_attempt_s_last_gives_the_next_attempt
          assert_equal %w[2-0 2-2], lasts(two_attempts, after: "1-900")
        end

        def test_logs_with_nothing_behind_the_position_are_left_out
          key = two_attempts

          assert_equal({}, store.read({ key => position("2-2") }))
          assert_equal({}, store.read({ key => position("3-0"), log => Log::Position::START, "absent" => Log::Position::START }))
          assert_equal({}, store.read({}))
        end

        def test_each_log_is_read_from_its_own_position
          keys = Array.new(3) { two_attempts }
          positions = { keys[0] => "1-4", "absent" => "0-0", keys[1] => "2-2", keys[2] => "2-1" }
          found = store.read(positions.transform_values { |text| position(text) })

          assert_equal({ keys[0] => %w[2-0 2-2], keys[2] => %w[2-2] }, found.transform_values { |batches| batches.map { |batch| batch.last.to_s } })
        end

        def test_the_limit_is_of_batches_for_each_log
          keys = Array.new(2) { two_attempts }
          found = store.read({ keys[0] => position("0-0"), keys[1] => position("1-3") }, limit: 2)

          assert_equal({ keys[0] => %w[1-0 1-3], keys[1] => %w[1-4 2-0] },
                       found.transform_values { |batches| batches.map { |batch| batch.last.to_s } })
        end

        def test_a_log_is_read_whole_in_portions
          key = running
          25.times { |number| stored(key, number, number + 1) }
          seen = []
          while (found = batches(key, after: seen.last || "0-0", limit: 4)).any?
            seen.concat(found.map { |batch| batch.last.to_s })
          end

          assert_equal((0..25).map { |number| "1-#{number}" }, seen)
        end

        def test_many_logs_are_read_at_once
          keys = Array.new(1100) { |number| "many-#{number}" }
          written = keys.each_slice(100).map(&:first).each { |key| begun(log(key)) && stored(key, 0, 1) }
          found = store.read(keys.to_h { |key| [key, position("1-0")] })

          assert_equal written.sort, found.keys.sort
          assert_equal([["1-1"]], found.values.map { |batches| batches.map { |batch| batch.last.to_s } }.uniq)
        end
      end
    end
  end
end
