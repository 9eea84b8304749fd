# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # create and heads.
      module Creation # :nodoc:
        def test_a_log_is_created_once
          key = SecureRandom.alphanumeric(24)

          assert_equal true, store.create(key)
          assert_equal false, store.create(key)
          assert_equal false, second.create(key)
        end

        def test_creating_a_log_that_is_there_changes_nothing
          key = running
          stored(key, 0, 2, piece: piece("1-2", "xx"))
          before = [described(head(key)), contents(key), texts(key)]
          store.create(key)

          assert_equal before, [described(head(key)), contents(key), texts(key)]
        end

        def test_a_new_log_is_queued_and_empty
          found = head(key = log)

          assert_predicate found, :queued?
          assert_equal [key, nil, 0, 0, 0, Log::Position::START, Log::Position::START, 0, nil, 0, 0], described(found)
          refute_predicate found, :leased?
          assert_kind_of Time, found.created_at
          assert_empty batches(key)
          assert_empty store.text(key)
        end

        def test_heads_are_of_those_that_are_there
          keys = [log, running, log]
          found = store.heads([keys[0], "absent", *keys[1..]])

          assert_equal keys.sort, found.keys.sort
          found.each { |key, head| assert_equal key, head.key }
          assert_equal({}, store.heads([]))
          assert_equal({}, store.heads(["absent"]))
        end

        def test_heads_of_many_keys
          keys = Array.new(1100) { |number| "many-#{number}" }
          created = keys.each_slice(100).flat_map { |slice| slice.first(2) }.each { |key| log(key) }

          assert_equal created.sort, store.heads(keys).keys.sort
        end

        def test_a_log_is_seen_by_another_process
          key = running
          stored(key, 0, 1)

          assert_equal described(head(key)), described(head(key, on: second))
          assert_equal contents(key), contents(key, on: second)
        end

        def test_keys_are_told_apart_exactly
          keys = ["Answer-1", "answer-1", "answer-1:", "answer.1", "answer_1", "answer-10", "a" * 191]
          keys.each { |key| log(key) }
          begun("answer-1")
          stored("answer-1", 0, 1)

          assert_equal keys.sort, store.heads(keys).keys.sort
          assert_equal ["answer-1"], store.heads(keys).values.reject(&:queued?).map(&:key)
          assert_equal ["answer-1"], store.read(keys.to_h { |key| [key, Log::Position::START] }).keys
        end
      end
    end
  end
end
