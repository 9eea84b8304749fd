# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # Bytes: what was appended is what is read.
      module Payloads # :nodoc:
        EVERY_BYTE = (0..255).to_a.pack("C*").freeze

        def test_bytes_are_kept_as_they_are
          { "every byte" => EVERY_BYTE, "line ends" => "a\rb\r\nc\n\n\r\r\n".b, "zeros" => "\0\0a\0".b, "half a character" => "\xE2\x82".b,
            "quotes" => %q('"\\\\x41\x'?$1%s{}).b, "text" => "aé€😀".b }.each do |what, bytes|
            key = running
            stored(key, 0, 1, bytes: bytes, piece: piece("1-1", bytes, bytes))

            assert_equal bytes, batches(key).last.frames, what
            assert_equal [["1-1", bytes, bytes]], texts(key), what
          end
        end

        def test_bytes_are_binary_strings
          key = running
          stored(key, 0, 1, piece: piece("1-1", "é", "é"))
          found = store.text(key).first

          assert_equal [Encoding::BINARY], batches(key).map { |batch| batch.frames.encoding }.uniq
          assert_equal [Encoding::BINARY, Encoding::BINARY], [found.text.encoding, found.events.encoding]
        end

        def test_an_empty_piece_is_a_piece
          key = running
          stored(key, 0, 1, piece: piece("1-1", ""))

          assert_equal [["1-1", "", ""]], texts(key)
          assert_equal position("1-1"), head(key).compacted
        end

        def test_large_batches_and_pieces_are_stored
          key = running
          large = EVERY_BYTE * 4096
          stored(key, 0, 1, bytes: large, piece: piece("1-1", large, large))
          stored(key, 1, 2)

          assert_equal large, batches(key)[1].frames, "1 MiB of frames"
          assert_equal [["1-1", large, large]], texts(key), "1 MiB of text and of events"
          assert_operator head(key).bytes, :>, large.bytesize
        end

        def test_what_was_read_does_not_change
          key = running
          bytes = frames(1, 1..1)
          stored(key, 0, 1, bytes: bytes)
          before = batches(key).last
          stored(key, 1, 2)

          assert_equal frames(1, 1..1), before.frames
          assert_equal frames(1, 1..1), batches(key)[1].frames
        end

        def test_positions_are_large
          key = running
          last = (2**31) - 1
          stored(key, 0, last - 1, bytes: "many")
          stored(key, last - 1, last, bytes: "last", piece: piece("1-#{last}", "text"))

          assert_equal [["1-#{last}", "1-#{last}", "last", nil]], contents(key, after: "1-#{last - 1}")
          assert_equal position("1-#{last}"), head(key).compacted
          assert_equal [["1-#{last}", "text", ""]], texts(key)
        end
      end
    end
  end
end
