# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # text.
      module Texts # :nodoc:
        def test_the_pieces_are_in_order
          key = running
          12.times { |number| stored(key, number, number + 1, piece: piece("1-#{number + 1}", number.to_s)) }

          assert_equal((0..11).map { |number| ["1-#{number + 1}", number.to_s, ""] }, texts(key))
          assert_equal position("1-12"), head(key).compacted
        end

        def test_a_continued_text_has_the_pieces_of_the_attempts_before
          key = running
          stored(key, 0, 1, piece: piece("1-1", "one "))
          begun(key, mode: "continue")
          stored(key, 0, 1, epoch: 2, piece: piece("2-1", "two"))

          assert_equal [["1-1", "one ", ""], ["2-1", "two", ""]], texts(key)
        end

        def test_a_reset_text_has_none_of_them
          key = running
          stored(key, 0, 1, piece: piece("1-1", "one "))
          begun(key, mode: "reset")

          assert_empty store.text(key)
          assert_equal position("1-1"), head(key).compacted
          stored(key, 0, 1, epoch: 2, piece: piece("2-1", "two"))
          assert_equal [["2-1", "two", ""]], texts(key)
        end

        def test_an_unknown_log_has_no_text
          assert_equal [], store.text("absent")
        end
      end
    end
  end
end
