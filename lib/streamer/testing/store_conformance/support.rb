# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # Seconds of a lease that is to be over soon, and of one that is not.
      SHORT = 0.2
      LONG = 600
      private_constant :SHORT, :LONG

      # What the tests need: logs, appends, and time that passes.
      module Support # :nodoc:
        # See StoreConformance.

        def new_store = raise(NotImplementedError, "define new_store: a fresh store, with no log in it")

        def second_store = store

        def advance(_seconds) = nil

        def unreachable_store = nil

        def patience = 10

        private

        def store = @store ||= new_store

        def second = @second ||= second_store

        def position(text) = Log::Position.parse(text) || raise(ArgumentError, text)

        # A new log's key.
        def log(key = SecureRandom.alphanumeric(24))
          assert store.create(key), "a log whose key is random could not be created"
          key
        end

        def claim(key, owner: "one", lease: LONG, mode: "reset", on: store) = on.claim(key, owner: owner, lease: lease, mode: mode)

        # The same where it has to be possible.
        def begun(...) = claim(...).tap { |head| refute_nil head, "the log could not be claimed" }

        # The key of a log whose attempt 1 has begun.
        def running(lease: LONG)
          log.tap { |key| begun(key, lease: lease) }
        end

        def head(key, on: store) = on.heads([key])[key]

        # Frames as a writer makes them.
        def frames(epoch, sequences, text = "x")
          sequences.map { |sequence| Log::Frames.entry(Log::Position.new(epoch, sequence), text) }.join.b
        end

        def piece(at, text, events = "") = Log::Piece.new(through: position(at), text: text.b, events: events.b)

        def batch(key, after, last, epoch: 1, bytes: frames(epoch, (after + 1)..last), **others)
          Log::Append.new(key: key, epoch: epoch, after: after, last: last, frames: bytes, **others)
        end

        # What the store answers to one append.
        def append(key, after, last, on: store, **others)
          answers = on.append([batch(key, after, last, **others)])
          assert_equal 1, answers.size, "one answer for each append"
          answers.first
        end

        def stored(...) = assert_nil(append(...), "an append that fits is stored, and the answer nil")

        # The head that the append did not fit; nothing of it may be there.
        def refused(key, ...)
          before = [described(head(key)), contents(key), texts(key)]
          answer = append(key, ...)
          assert_kind_of Log::Head, answer, "an append that does not fit is answered with the head as it is"
          assert_equal before, [described(head(key)), contents(key), texts(key)], "nothing of an append that does not fit is stored"
          assert_equal described(head(key)), described(answer)
          answer
        end

        # Everything of a head that does not depend on when one looks.
        def described(head)
          head && [head.key, head.state, head.epoch, head.sequence, head.text_epoch, head.pruned, head.compacted, head.stop_epoch, head.owner,
                   head.interrupted, head.bytes]
        end

        def batches(key, after: "0-0", limit: 500, on: store)
          on.read({ key => position(after) }, limit: limit).fetch(key, [])
        end

        def contents(key, **options) = batches(key, **options).map { |batch| [batch.first.to_s, batch.last.to_s, batch.frames, batch.state] }

        def lasts(key, **options) = batches(key, **options).map { |batch| batch.last.to_s }

        def texts(key, on: store) = on.text(key).map { |piece| [piece.through.to_s, piece.text, piece.events] }

        # Until the block says true.
        def eventually(what)
          deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + patience
          until (value = yield)
            flunk "#{what}: not within #{patience} s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
            sleep 0.005
          end
          value
        end

        # Until a SHORT lease that began before this call is over, whatever moves the store's clock.
        def outlast_short_leases
          key = running(lease: SHORT)
          advance(SHORT)
          eventually("a lease of #{SHORT} s is over") { head(key).overdue? }
        end

        # In as many threads at once; what each block gave.
        def at_once(count)
          gate = Queue.new
          threads = Array.new(count) do |number|
            Thread.new { gate.pop.then { yield number } }
          end
          threads.each { |thread| thread.report_on_exception = false }
          count.times { gate << true }
          threads.map(&:value)
        end
      end
    end
  end
end
