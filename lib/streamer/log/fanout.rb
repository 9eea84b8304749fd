# frozen_string_literal: true

module Streamer
  class Log
    # One log's new entries to all its readers in this process: each is copied once, and the native thread sends it to every reader's
    # browser without Ruby. A reader that is slow holds up nobody; one that is behind by more than the limit, or takes nothing within its
    # browser's write timeout, is cut, and comes back with its cursor.
    #
    # Positions are Integers here (Position#to_i), frames whole SSE frames as they are stored (Frames). From any thread.
    class Fanout
      # A reader that gets its frames through take, or has a browser that the native thread sends them to.
      class Reader
        # Whether it gets what is published; false while it catches up, and once it has ended.
        def live? = open? && through.nil?
      end

      # One cursor for several logs that one browser follows: each frame's id becomes `INDEX:E-S,E-S,...`, INDEX being the place of the log
      # that it is from. Frames of a combined reader are copied for it.
      class Combined
        # positions: where the browser is in each log, Integers, at most 64.
        def initialize(positions)
          setup(positions)
        end
      end

      Streamer.send(:bind_fanout, self)

      # position: what the store was read through. limit: bytes that a reader may be behind; 0 for 1 MiB.
      def initialize(position, limit: 0)
        setup(position, limit)
      end

      # A Reader of all that is behind the position `after`. It is live at once where the fanout still has that; otherwise its `through`
      # says how far the store has to be read, and `start` takes what was read.
      #
      # browser: a BrowserSocket, which is the reader's from here on and may be forgotten; nil for a reader that is asked (Reader#take).
      # rotate: milliseconds until a planned end, at which the reader gets the frames `closing` and a complete end; nil for none.
      # combined: [Combined, index] where the browser follows several logs; each has a reader, and the browser is closed when all have ended.
      def join(browser, after, rotate: nil, closing: nil, combined: nil)
        join_with(browser, after, rotate || 0, closing, *(combined || [nil, 0]))
      end
    end
  end
end
