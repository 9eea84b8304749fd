# frozen_string_literal: true

module Streamer
  module Testing
    module StoreConformance
      # What a store does whose database is away.
      module Outages # :nodoc:
        CALLS = {
          create: ->(store) { store.create("away") },
          heads: ->(store) { store.heads(["away"]) },
          claim: ->(store) { store.claim("away", owner: "one", lease: 1) },
          append: ->(store) { store.append([Log::Append.new(key: "away", epoch: 1, after: 0, last: 1, frames: "x".b)]) },
          renew: ->(store) { store.renew({ "away" => 1 }, owner: "one", lease: 1) },
          release: ->(store) { store.release("away", epoch: 1, owner: "one") },
          stop: ->(store) { store.stop("away", epoch: 1) },
          read: ->(store) { store.read({ "away" => Log::Position::START }) },
          text: ->(store) { store.text("away") },
          overdue: ->(store) { store.overdue },
          expired: ->(store) { store.expired(age: 1) },
          prune: ->(store) { store.prune("away", through: Log::Position.new(1, 1)) },
          delete: ->(store) { store.delete(["away"]) }
        }.freeze

        def test_whoever_cannot_reach_the_database_is_told_so
          away = unreachable_store or return pass("the store's test names no store whose database is away")

          CALLS.each { |name, call| assert_raises(StoreUnavailableError, name.to_s) { call.call(away) } }
        end

        def test_a_wake_raises_nothing_while_the_database_is_away
          away = unreachable_store or return pass("the store's test names no store whose database is away")

          assert_silent { away.wake(["away"]) }
        end
      end
    end
  end
end
