# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # wake and watch. A wake may be lost and a watch may be called for nothing, so these try until they are told.
      module Wakes # :nodoc:
        # Whether what a watch was called with is news of this log.
        def news?(keys, key) = keys.nil? || keys.include?(key)

        def watching(on: store, told: Queue.new)
          watch = on.watch { |keys| told << [keys] }
          yield watch, told
        ensure
          watch&.close
        end

        # Writes and wakes until the block says that it was told.
        def waking(key, on: store)
          sequence = head(key).sequence
          eventually("a watch is told of what was written") do
            stored(key, sequence, sequence += 1, on: on)
            on.wake([key])
            eventually_soon { yield }
          end
        end

        def eventually_soon
          20.times { yield ? (return true) : sleep(0.005) }
          false
        end

        def told_of?(told, key)
          found = false
          found |= news?(told.pop.first, key) until told.empty?
          found
        end

        def test_a_watch_is_told_of_a_wake
          key = running
          watching { |_, told| waking(key) { told_of?(told, key) } }
        end

        def test_a_watch_is_told_of_a_wake_in_another_process
          key = running
          watching { |_, told| waking(key, on: second) { told_of?(told, key) } }
          watching(on: second) { |_, told| waking(key) { told_of?(told, key) } }
        end

        def test_every_watch_is_told
          key = running
          watching do |_, one|
            watching do |_, two|
              waking(key) { told_of?(one, key) }
              waking(key) { told_of?(two, key) }
            end
          end
        end

        def test_a_watch_is_told_of_several_keys
          keys = [running, running]
          watching do |_, told|
            waiting = keys.dup
            eventually("both are told") do
              store.append(keys.map { |key| batch(key, head(key).sequence, head(key).sequence + 1) })
              store.wake(keys)
              eventually_soon do
                until told.empty?
                  news = told.pop.first
                  waiting.reject! { |key| news?(news, key) }
                end
                waiting.empty?
              end
            end
          end
        end

        def test_a_closed_watch_is_told_nothing_more
          key = running
          told = Queue.new
          watching(told: told) { waking(key) { told_of?(told, key) } }
          told.clear
          watching { |_, other| waking(key) { told_of?(other, key) } }

          assert_empty told
        end

        def test_a_watch_says_how_long_one_may_wait_without_being_told
          watching { |watch,| assert_operator watch.interval, :>, 0 }
          watching { |watch,| assert_operator watch.interval, :<=, 2 }
        end

        def test_a_watch_that_raises_harms_nobody
          key = running
          broken = Class.new(StandardError)
          raising = store.watch { raise broken, "a watch's block has raised: the store's test wants it so" }
          capture_io do
            watching { |_, told| 2.times { waking(key) { told_of?(told, key) } } }
          end
        ensure
          raising&.close
        end

        def test_a_wake_raises_nothing
          store.wake([])
          store.wake(["absent"])
          watching { store.wake(["absent", "x" * 191, *Array.new(500) { |number| "absent-#{number}" }]) }
          store.wake([running])
        end

        def test_a_watch_is_closed_twice_without_harm
          watching { |watch,| 2.times { watch.close } }
        end
      end
    end
  end
end
