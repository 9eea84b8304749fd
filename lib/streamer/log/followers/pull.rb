# frozen_string_literal: true

module Streamer
  class Log
    class Followers
      # A reader in a thread or fiber of its own, which waits there: for Log#follow, and for browsers whose socket the native thread cannot
      # have.
      class Pull
        # Seconds between looks: at a log that is behind the reader, at a store that is away or behind.
        AHEAD = 0.5
        AWAY = 0.5
        BEHIND = 0.02

        GOODBYE = "event: closing\n"
        private_constant :AHEAD, :AWAY, :BEHIND, :GOODBYE

        # catch_up: a CatchUp that was begun. options: rotate and closing, as in Fanout#join.
        def initialize(followers, key, after, catch_up: nil, **options)
          @followers = followers
          @key = key
          @position = after
          @catch_up = catch_up
          @options = options
        end

        # Yields frames until the log is closed, and what is said at a planned end or the process's, and returns then.
        def frames(&block)
          follow(leaves: true, &block)
        end

        # Yields Entries until the log is closed. Raises UnknownLogError.
        def entries(&block)
          @catch_up = @followers.catch_up(@key, @position)
          raise UnknownLogError, @key if @catch_up&.mode == :gone

          follow(leaves: false) { |frames| Pull.entries(frames).each(&block) }
        end

        # From any thread: whoever waits in there returns.
        def cancel
          @cancelled = true
          @reader&.close
        end

        # A state beside the log has no position, and takes over none.
        def self.entries(frames)
          return Frames.entries(frames) unless frames.include?("event: state\ndata:")

          Frames.split(frames).flat_map { |frame| Frames.entries(frame) }
        end

        private

        def follow(leaves:, &block)
          until @cancelled
            break unless approach(&block)
            break if listen(leaves, &block) == :goodbye
          end
          nil
        ensure
          @reader&.close
        end

        def catch_up = @catch_up ||= @followers.reader(@key, @position)

        def covered? = @followers.covers?(@key, @position)

        # Up to where readers are live. False when there is nothing more to come.
        def approach(&block)
          read(&block) unless @catch_up.nil? && covered?
          return false if @catch_up&.over? || @cancelled

          give_notice(&block)
          @reader = @followers.join(@key, @position, nil, overdue: @catch_up&.head&.overdue? || false, **@options)
          start(&block)
          true
        rescue StoreUnavailableError
          sleep(AWAY)
          retry
        end

        # All that there is to be read.
        def read(&block)
          until @cancelled
            if (frames = catch_up.next)
              pass(frames, catch_up.position, &block)
            elsif catch_up.ahead?
              hold
            else
              break
            end
          end
        end

        def hold
          @patient_until ||= Clock.now + @followers.patience
          return catch_up.give_up if Clock.now >= @patient_until

          sleep(AHEAD)
          catch_up.look
        end

        def give_notice
          return if @noticed

          @noticed = true
          notice = @catch_up&.notice || @followers.notice(@key)
          yield notice if notice
        end

        def start(&block)
          while (through = @reader.through)
            read_through(through, &block)
            @reader.start(nil, @position.to_i)
          end
        end

        def read_through(through, &block)
          while @position.to_i < through && @reader.open?
            frames = catch_up.next
            frames ? pass(frames, catch_up.position, &block) : sleep(BEHIND)
          end
        end

        # The position is the reader's before the block has the frames: whoever raises there has had them.
        def pass(frames, position)
          @position = position
          yield frames
        end

        def listen(leaves, &block)
          @catch_up = @patient_until = nil
          until (taken = @reader.take).is_a?(Symbol)
            frames, position = taken
            goodbye = position.nil? && frames.start_with?(GOODBYE)
            pass(frames, position ? Position.from(position) : @position, &block) unless goodbye && !leaves
          end
          return :goodbye if goodbye && leaves

          taken
        end
      end
    end
  end
end
