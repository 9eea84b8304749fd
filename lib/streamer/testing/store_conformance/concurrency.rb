# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # Several threads, and processes, at once.
      module Concurrency # :nodoc:
        def either(number) = number.even? ? store : second

        def test_one_of_many_claims_at_once
          5.times do
            key = log
            found = at_once(8) { |number| claim(key, owner: "owner-#{number}", on: either(number)) }.compact

            assert_equal 1, found.size, "one of 8 claims wins"
            assert_equal [1, found.first.owner], head(key).then { |head| [head.epoch, head.owner] }
            assert_equal %w[1-0], lasts(key)
          end
        end

        def test_one_of_many_reapers_claims_at_once
          key = running(lease: SHORT)
          outlast_short_leases
          found = at_once(8) { |number| claim(key, owner: "owner-#{number}", mode: "continue", on: either(number)) }.compact

          assert_equal [2], found.map(&:epoch)
          assert_equal 1, head(key).interrupted
        end

        def test_one_of_many_appends_at_the_same_place_at_once
          key = running
          5.times do |after|
            answers = at_once(8) { |number| append(key, after, after + 1, bytes: "writer #{number}", on: either(number)) }

            assert_equal 1, answers.count(&:nil?), "one of 8 appends fits"
            assert_equal "writer #{answers.index(nil)}", batches(key).last.frames
            assert_equal after + 1, head(key).sequence
          end
        end

        def test_one_of_many_closes_at_once
          key = running
          states = Log::Frames::STATES.keys * 2
          answers = at_once(8) { |number| append(key, 0, 1, state: states[number], on: either(number)) }

          assert_equal 1, answers.count(&:nil?)
          assert_equal [states[answers.index(nil)]] * 2, [head(key).state, batches(key).last.state]
          assert_equal %w[1-0 1-1], lasts(key)
        end

        def test_many_logs_are_written_at_once
          keys = Array.new(8) { running }
          groups = at_once(8) do |number|
            Array.new(10) { |after| either(number).append(keys.rotate(number).first(4).map { |key| batch(key, after, after + 1) }) }
          end

          assert_equal [4], groups.flatten(1).map(&:size).uniq
          keys.each_with_index do |key, index|
            assert_equal((0..10).map { |last| "1-#{last}" }, lasts(key))
            writers = 8.times.select { |number| keys.rotate(number).first(4).include?(key) }
            stored = writers.sum { |number| groups[number].count { |answers| answers[keys.rotate(number).index(key)].nil? } }
            assert_equal 10, stored, "each entry of log #{index} was stored once, whoever was first"
          end
        end

        def test_a_claim_comes_before_or_behind_an_append
          10.times do
            key = running
            answer, claimed = at_once(2) { |number| number.zero? ? append(key, 0, 1) : claim(key, on: second) }

            assert_equal(answer.nil? ? %w[1-0 1-1 2-0] : %w[1-0 2-0], lasts(key))
            assert_equal answer.nil? ? "1-1" : "1-0", Log::Frames.entries(batches(key).last.frames).first.json["from"]
            assert_equal 2, claimed.epoch
          end
        end

        def test_a_stop_comes_before_or_behind_an_append
          10.times do
            key = running
            answer, stopped = at_once(2) { |number| number.zero? ? append(key, 0, 1) : second.stop(key, epoch: 1) }

            assert_predicate stopped, :stop?
            assert_predicate refused(key, head(key).sequence, head(key).sequence + 1), :stop?
            assert_equal(answer.nil? ? %w[1-0 1-1] : %w[1-0], lasts(key))
          end
        end

        def test_a_reader_sees_no_hole_while_a_log_is_written
          key = running
          seen = ["1-0"]
          writer = Thread.new { 100.times { |after| stored(key, after, after + 1) } }
          eventually("everything is read") do
            seen.concat(batches(key, after: seen.last, on: second).map { |batch| batch.last.to_s })
            seen.last == "1-100"
          end
          writer.value

          assert_equal((0..100).map { |number| "1-#{number}" }, seen)
        end
      end
    end
  end
end
