# frozen_string_literal: true

module Streamer
  class Log
    class Followers
      # One browser's way into one log: what it has to catch up with, until the native thread has it. It never waits for the browser; where it
      # cannot go on, it is asked again later.
      class Visit # :nodoc:
        # Seconds until another try is worth it: while the browser takes nothing, the log is behind the reader, the store is away.
        BUSY = 0.05
        AHEAD = 0.5
        AWAY = 0.5
        private_constant :BUSY, :AHEAD, :AWAY

        attr_reader :key

        # When it is to be asked again.
        attr_reader :due

        # browser: a BrowserSocket. catch_up: a CatchUp that was begun. combined: [Fanout::Combined, index] where the browser follows several
        # logs. options: rotate and closing, as in Fanout#join.
        def initialize(followers, key, after, browser, catch_up: nil, combined: nil, **options)
          @followers = followers
          @key = key
          @after = after
          @browser = browser
          @catch_up = catch_up
          @combined, @index = combined
          @options = { **options, combined: combined }
          @due = 0
        end

        # Goes on as far as it can. True when nothing is left to be done; otherwise it is to be asked again.
        def advance
          return true if @reader ? !@reader.open? : !@browser.connected?

          @reader ? start : approach
        rescue StoreUnavailableError => error
          Instrumentation.publish("store_unavailable", store: @followers.store.name, error: error)
          later(AWAY)
        end

        # In place of all that: the browser gets these frames, and the end.
        def dismiss(frames)
          return if @reader

          @browser.offer(frames)
          leave
        end

        private

        def catch_up = @catch_up ||= @followers.reader(@key, @after)

        # Up to where it has come.
        def place = @catch_up ? @catch_up.position : @after

        def covered? = @followers.covers?(@key, place)

        def later(seconds)
          @due = Clock.now + seconds
          false
        end

        def approach
          while deliver
            next if take_portion
            return hold if @catch_up&.ahead?
            return leave if @catch_up&.over?
            next if take_notice

            @reader = @followers.join(@key, place, @browser, overdue: overdue?, **@options)
            return start
          end
          later(BUSY)
        end

        # Whether the browser has what it was to get.
        def deliver
          return true unless @pending
          return false unless @browser.offer(@pending)

          @pending = nil
          true
        end

        def pending=(frames)
          @pending = @combined && frames ? @combined.rewrite(@index, frames) : frames
        end

        # What is still to be read, where it does not come with what others read.
        def take_portion
          return false if (@catch_up.nil? || @catch_up.portioned?) && covered?

          self.pending = catch_up.next
          !@pending.nil?
        end

        def take_notice
          return false if @noticed

          @noticed = true
          self.pending = @catch_up&.notice || @followers.notice(@key)
          !@pending.nil?
        end

        def overdue? = @catch_up&.head&.overdue? || false

        def hold
          @patient_until ||= Clock.now + @followers.patience
          Clock.now < @patient_until ? @catch_up.look : @catch_up.give_up
          @catch_up.ahead? ? later(AHEAD) : approach
        end

        # The reader is registered; it goes on behind what it gets here.
        def start
          while (through = @reader.through)
            return later(BUSY) unless read_through(through)
            return later(BUSY) unless @reader.start(@own, place.to_i) || @reader.through != through
          end
          true
        end

        def read_through(through)
          @own ||= String.new(encoding: Encoding::BINARY)
          while place.to_i < through
            frames = catch_up.next
            return give_way unless frames

            @own << frames
          end
          true
        end

        # The store has less than it had.
        def give_way
          catch_up.over? ? @reader.close : catch_up.look
          false
        end

        def leave
          @browser.finish if @combined.nil? || @combined.leave(@index)
          true
        end
      end
    end
  end
end
