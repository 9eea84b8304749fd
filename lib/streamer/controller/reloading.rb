# frozen_string_literal: true

module Streamer
  module Controller
    # Rails reloads edited code when no thread is within a request, and a stream is within its own until it ends.
    module Reloading # :nodoc:
      class << self
        # Runs the block, which may be long, with the thread's hold on loaded code let go, so that other requests can reload it; nothing where
        # code is not reloaded. Constants that the block names later are those of the new code.
        def permit
          return yield unless defined?(::ActiveSupport::Dependencies)

          running, unloading = held
          return yield if running.zero? && !unloading

          begin
            let_go(running, unloading)
            yield
          ensure
            take_back(running, unloading)
          end
        end

        private

        def interlock = ::ActiveSupport::Dependencies.interlock

        # How often the thread is counted as running, and whether it is the one that unloads: a request that finds edited files does that
        # until its end.
        def held
          interlock.raw_state do |threads|
            state = threads.fetch(Thread.current, {})
            return [state[:sharing].to_i, state[:exclusive] == true]
          end
        end

        def let_go(running, unloading)
          interlock.done_unloading if unloading
          running.times { interlock.done_running }
        end

        def take_back(running, unloading)
          running.times { interlock.start_running }
          interlock.start_unloading if unloading
        end
      end
    end
  end
end
