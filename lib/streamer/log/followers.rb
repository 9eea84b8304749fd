# frozen_string_literal: true

module Streamer
  class Log
    # This process's readers of a store's logs, and the thread that reads for them: whatever their number, a log is read once.
    #
    # The thread looks at what a wake names, at once where it has had nothing to do for a moment; and from time to time at everything, since
    # wakes may be lost. What it reads goes to the log's Fanout, and from there to the browsers without Ruby. It is there while there are
    # readers. When the store is away, readers stay, and hear nothing.
    class Followers # :nodoc:
      include Protection

      # Seconds between two rounds at least; between looks at how the logs are; for which a log is read on without readers.
      PACE = 0.003
      LOOK = 1.0
      LINGER = 5.0

      # Seconds between tries while the store is away, from the first to the most.
      RETRY = (0.1..1.0)

      # Batches of one log in one round, and logs in one question.
      BATCHES = 256
      KEYS = 500

      # Seconds beyond a lease that readers wait for the end of a log that its store has lost.
      GRACE = 5
      private_constant :PACE, :LOOK, :LINGER, :RETRY, :BATCHES, :KEYS, :GRACE

      class << self
        # Browsers that follow logs in this process. Integer.
        def open = Fanout.counters.fetch(:readers) + Background.all.sum { |background| background.followers.waiting }

        # Says good-bye to all of them, with a `retry` of its own for each, from 1 second to 1 + spread. Does not wait until they have gone.
        def bid_farewell(spread)
          Fanout.drain(1000, ((1 + spread) * 1000).round)
          Background.all.each { |background| background.followers.dismiss { farewell(spread) } }
        end

        # What each is told.
        def farewell(spread = 5.0)
          Encoder.encode({ reason: "shutdown" }, event: "closing", retry: ((1 + rand(0.0..spread)) * 1000).round)
        end
      end
      Relay::Registry.followers = self

      attr_reader :store

      def initialize(background)
        @background = background
        @store = background.store
        @reads = Reads.new(@store)
        @lock = Mutex.new
        @changed = ConditionVariable.new
        @feeds = {} # key => Feed
        @visits = []
        @news = {}  # keys that may have news
        @all = false
      end

      # Seconds for which a reader that is ahead of its log waits.
      def patience = @background.lease_keeper.lease + GRACE

      # Whether a reader at this position gets all that is behind it without a look into the store.
      def covers?(key, position) = @lock.synchronize { @feeds[key]&.covers?(position) || false }

      # A CatchUp for a reader at this position that has looked at its log; nil where it needs none. Raises StoreUnavailableError.
      def catch_up(key, position)
        reader(key, position).tap(&:mode) unless covers?(key, position)
      end

      # The same for one that has to look.
      def reader(key, position) = CatchUp.new(store, key, position, reads: @reads)

      # What somebody who reads now has to know beside that; nil for nothing.
      def notice(key)
        phase = @lock.synchronize { @feeds[key]&.phase }
        CatchUp.notice(phase) if phase
      end

      # A Fanout::Reader of what is behind the position; browser: nil for one that is asked. overdue: whether the reader knows that nobody
      # writes.
      def join(key, position, browser, overdue: false, **options)
        @lock.synchronize do
          feed = @feeds[key] ||= open_feed(key, position, overdue)
          feed.joined_at = Clock.now
          feed.join(browser, position, **options)
        end
      end

      # Sees to it that the visit comes to its end, whenever that is.
      def receive(visit)
        return if visit.advance

        @lock.synchronize do
          @visits << visit
          wake_up
        end
      end

      # Visits that wait for something.
      def waiting = @lock.synchronize { @visits.size }

      # Says good-bye to those, as Fanout.drain does to readers. The block gives the frames for each.
      def dismiss
        visits = @lock.synchronize { @visits.slice!(0..) }
        visits.each { |visit| visit.dismiss(yield) }
      end

      private

      # The lock is held.
      def open_feed(key, position, overdue)
        @news[key] = true
        wake_up
        nudge(key) if overdue
        Feed.new(key, position, recovering: overdue)
      end

      # The lock is held.
      def wake_up
        @thread = Thread.new { run }.tap { |thread| thread.name = "streamer-followers" } unless @thread&.alive?
        @changed.signal
      end

      def run
        delay = 0
        delay = try_turn ? PACE : [[delay * 2, RETRY.begin].max, RETRY.end].min while wait(delay)
      ensure
        @watch&.close
        @watch = nil
      end

      # Whether it went well; otherwise everything is looked at again.
      def try_turn
        protect do
          turn
          return true
        end
        @all = true
        false
      end

      # False when there is nobody left, and then this thread is nobody's.
      def wait(delay)
        sleep(delay)
        @lock.synchronize do
          @changed.wait(@lock, [due - Clock.now, 0.001].max) until news? || idle? || Clock.now >= due
          next true unless idle?

          @watch&.close
          @watch = @thread = nil
          false
        end
      end

      def news? = @all || @news.any?

      def idle? = @feeds.empty? && @visits.empty?

      # When there is something to be done though nobody has called.
      def due = [@visits.map(&:due).min, @next_round || 0, @next_look || 0].compact.min

      def turn
        @watch ||= @store.watch { |keys| hear(keys) }.tap { @all = true }
        now = Clock.now
        looks = now >= (@next_look || 0)
        round(keys_to_read(now, everything: looks))
        look if looks
        see_to_visits(now)
      end

      # From a thread of the store's.
      def hear(keys)
        @lock.synchronize do
          keys.nil? ? @all = true : keys.each { |key| @news[key] = true if @feeds.key?(key) }
          @changed.signal if news?
        end
      end

      def keys_to_read(now, everything:)
        @lock.synchronize do
          everything ||= @all || now >= (@next_round || 0)
          keys = everything ? @feeds.keys : @news.keys & @feeds.keys
          @next_round = now + @watch.interval if everything
          @all = false
          @news.clear
          keys
        end
      end

      # Reads what is new of these logs, and publishes it.
      def round(keys)
        keys.each_slice(KEYS) do |some|
          feeds = feeds_of(some)
          until feeds.empty?
            found = @store.read(feeds.to_h { |feed| [feed.key, feed.position] }, limit: BATCHES)
            feeds.each { |feed| publish(feed, found.fetch(feed.key, [])) }
            feeds.select! { |feed| found.fetch(feed.key, []).size >= BATCHES && !feed.over? }
          end
        end
      end

      def feeds_of(keys) = @lock.synchronize { @feeds.values_at(*keys).compact }

      def publish(feed, batches)
        feed.publish(batches)
      rescue StandardError => error
        Streamer.report(error)
        feed.retire
      ensure
        forget(feed) if feed.over?
      end

      def forget(feed)
        @lock.synchronize { @feeds.delete(feed.key) if @feeds[feed.key].equal?(feed) }
      end

      # How all logs are: what no entry tells.
      def look
        @next_look = Clock.now + LOOK
        let_go_of_the_unread
        feeds = @lock.synchronize { @feeds.values }
        feeds.each_slice(KEYS) do |some|
          heads = @store.heads(some.map(&:key))
          some.each { |feed| look_at(feed, heads[feed.key]) }
        end
      end

      def look_at(feed, head)
        told = feed.recovering?
        feed.look(head, patience)
        forget(feed) if feed.over?
        nudge(feed.key) if feed.recovering? && !told
      end

      # Somebody reads a log whose writer is gone: that is not for the reaper's next round.
      def nudge(key)
        return unless Log.reaps

        reaper = @background.reaper
        Thread.new { reaper.reap(key) }.name = "streamer-reaper"
      end

      def let_go_of_the_unread
        now = Clock.now
        @lock.synchronize { @feeds.delete_if { |_, feed| feed.readers.zero? && now - feed.joined_at > LINGER } }
      end

      def see_to_visits(now)
        ready = @lock.synchronize { @visits.select { |visit| visit.due <= now } }
        over = ready.select { |visit| advance(visit) }
        @lock.synchronize { @visits -= over } unless over.empty?
      end

      def advance(visit)
        visit.advance
      rescue StandardError => error
        Streamer.report(error)
        visit.dismiss("")
        true
      end
    end
  end
end

require_relative "followers/reads"
require_relative "followers/feed"
require_relative "followers/visit"
require_relative "followers/pull"
