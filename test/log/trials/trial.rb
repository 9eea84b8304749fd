# frozen_string_literal: true

require "support/log_reader"

module Trials
  # One log on a real database, from its creation to its close: processes that write it and are killed, stopped and overtaken, a database that
  # something happens to, and readers, all by a seed.
  class Trial
    Log = Streamer::Log
    Position = Log::Position
    Broken = Class.new(StandardError)

    # Seconds after which it does not end.
    LIMIT = 90

    attr_reader :key, :authors, :happened

    # happens: names of what may happen, where not all of it is to. points: of FragileStore, at which one writer after the other dies first.
    # at_most: so many things happen.
    def initialize(site, seed, happens: nil, entries: nil, points: [], at_most: 8)
      @site = site
      @random = Random.new(seed)
      @happens = happens || (%i[kill overtake stop clock point prune] + site.faults)
      @entries = entries || @random.rand(20..80)
      @key = "trial-#{seed}-#{SecureRandom.hex(4)}"
      @points = points.dup
      @at_most = at_most
      @authors = []
      @proxies = []
      @happened = []
    end

    def run
      Log.store = @store = CarelessStore.new(@site.store, @random.dup)
      @log = Log.create(@key)
      readers = Array.new(2) { |number| Thread.new { read(Random.new(@random.seed + number)) } }
      write until closed?
      @authors.each { |author| broken("an author does not come to the end") unless author.end_by(now + LIMIT) }
      check(readers.map { |reader| reader.join(LIMIT)&.value || broken("a reader does not come to the end") })
      self
    rescue LogReader::Objection => error
      broken(error.message)
    ensure
      finish(readers)
    end

    # What the authors were told.
    def told = @authors.map(&:told)

    def head = trying { @log.head }

    # [[id, frame], ...] of what is stored.
    def entries
      batches = trying { @store.read({ @key => Position::START }, limit: 10_000) }.fetch(@key, [])
      batches.flat_map { |batch| batch.entries.map(&:position).zip(Log::Frames.split(batch.frames)) }
    end

    private

    def broken(what) = raise(Broken, "#{what} (#{@site.class.name}, #{@key}; #{@happened.join(" ")}; told: #{told_so_far.inspect})")

    def told_so_far = @authors.select(&:over?).map(&:told)

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def trying
      deadline = now + 30
      begin
        yield
      rescue Streamer::StoreUnavailableError
        sleep(0.05)
        now < deadline ? retry : raise
      end
    end

    def closed?
      @began ||= now
      broken("it does not end") if now - @began > LIMIT
      head.closed?
    end

    # Somebody writes, and something happens meanwhile.
    def write
      author = @authors.find { |candidate| !candidate.over? && !candidate.equal?(@zombie) } || begin_author
      sleep(@random.rand(0.06))
      happen(author) if @happened.size < @at_most
    end

    # There is nobody: another one begins, where the lease of the one before is over, or the reaper sees to the log.
    def begin_author
      options = { mode: @random.rand(3).zero? ? "reset" : "continue", entries: @entries }
      options[:skew] = [-3600, 3600].sample(random: @random) if may?(:clock)
      options.update(point: @site.points.sample(random: @random), append: @random.rand(1..10)) if may?(:point) && @happened.size < @at_most
      options.update(point: @points.shift, append: 2) if @points.any?
      @happened.concat([(:clock if options[:skew]), options[:point]].compact)
      options[:port] = proxy.port if may?(:cut)
      sleep(0.05) while head.leased?
      Author.new(@site, @key, **options).tap { |author| @authors << author }
    end

    def may?(what) = @happens.include?(what) && @random.rand(2).zero?

    def proxy = @site.proxy.then { |made| made ? made.tap { @proxies << made } : NoProxy }

    # Where there is no network.
    module NoProxy
      def self.port = nil
    end
    private_constant :NoProxy

    def happen(author)
      what = (@happens - %i[clock point]).sample(random: @random) or return
      @happened << what
      case what
      when :kill then author.kill(:KILL)
      when :overtake then overtake(author)
      when :stop then trying { @log.stop } if @random.rand(4).zero?
      when :cut then @proxies.each(&:cut_next_answer)
      when :prune then trying { @store.prune(@key, through: @log.head.position) }
      else @site.public_send(what, @random, @key)
      end
    end

    # Stands still past its lease, and goes on when another has begun.
    def overtake(author)
      sleep(0.01) until author.over? || head.owner.to_s.include?(":#{author.pid}:")
      author.kill(:STOP)
      @zombie = author
      waited = now
      sleep(0.02) until author.over? || !head.leased? || now - waited > 10
      begin_author
      sleep(@random.rand(0.1))
      author.kill(:CONT)
    end

    # As a browser that comes back does.
    def read(random)
      reader = LogReader.new
      until reader.state
        begin
          @log.follow(after: reader.position) do |entry|
            reader.take(entry)
            break if random.rand(40).zero?
          end
        rescue Streamer::StoreUnavailableError
          sleep(0.05)
        end
      end
      reader
    end

    def check(readers)
      close = check_entries(entries)
      text = trying { @log.text }
      broken("the close says #{close}, the text has #{text.bytesize} bytes") if close["length"] != text.bytesize
      broken("the text is another than the close says") if close["sha256"] != Digest::SHA256.hexdigest(text)
      readers.each { |reader| broken("a reader has another text or end") if [reader.text, reader.state] != [text, head.state] }
      check_told(close["state"])
    end

    # What is stored is in order, without holes, and what was written; its close is one, and the last.
    def check_entries(entries)
      pruned = head.pruned
      entries.each_cons(2) { |(one, _), (two, _)| broken("#{two} behind #{one}") unless one.next == two || goes_on?(one, two) }
      broken("it begins behind what was pruned") unless pruned > Position::START || entries.first.first == Position.new(1, 0)
      entries[..-2].each { |position, frame| check_frame(position, frame) }
      last = Log::Frames.entries(entries.last.last).first
      broken("it does not end with its close") unless last.kind == :close && last.state == head.state && last.position == head.position
      last.json
    end

    def goes_on?(one, two) = two.epoch > one.epoch && two.sequence.zero?

    def check_frame(position, frame)
      expected = position.sequence.zero? ? :attempt : :data
      broken("#{position} is no #{expected}") unless Log::Frames.entries(frame).first.kind == expected
      broken("#{position} is not what was written") if expected == :data && frame != Author.frame(position)
    end

    def check_told(state)
      closers = told_so_far.grep(/\Aclosed/)
      broken("several were told that they have closed it") if closers.size > 1
      broken("#{closers.first} was told, and it is #{state} in attempt #{head.epoch}") unless closers.all?("closed #{state} #{head.epoch}")
    end

    def finish(readers)
      readers&.each(&:kill)
      @authors.each(&:finish)
      @proxies.each(&:close)
    ensure
      Log.store = nil
    end
  end
end
