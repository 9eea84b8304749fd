# frozen_string_literal: true

require "action_cable/subscription_adapter/async"

module ActionCable
  module SubscriptionAdapter
    # A cable that loses a tenth of what it is given, has a tenth come twice and a tenth behind what follows; the same every time.
    class Unsteady < Async
      SHARE = 0.1

      # What became of it all.
      COUNTS = Hash.new(0)
      MUTEX = Mutex.new
      RANDOM = Random.new(20_261_128)

      def broadcast(channel, payload)
        MUTEX.synchronize { fate(channel, payload) }.each { |late| super(channel, late) }
      end

      private

      def fate(channel, payload)
        case RANDOM.rand
        when 0...SHARE then count(:lost, [])
        when SHARE...(2 * SHARE) then count(:doubled, [payload, payload])
        when (2 * SHARE)...(3 * SHARE) then count(:late, []).tap { return held.key?(channel) ? [payload] : held.store(channel, payload).then { [] } }
        else count(:right, [payload])
        end + [held.delete(channel)].compact
      end

      def held = @held ||= {}

      def count(what, payloads)
        COUNTS[what] += 1
        payloads
      end
    end
  end
end
