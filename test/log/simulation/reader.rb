# frozen_string_literal: true

module Simulation
  # Somebody who follows a log: what a browser does with what it gets, and what a process does to give it, on CatchUp.
  class Reader
    Log = Streamer::Log
    Position = Log::Position

    def initialize(world, key)
      @world = world
      @key = key
      @random = world.scheduler.random
      @cursor = Position::START
      @text = "".b
      @events = []
    end

    def run
      scheduler.sleep(@random.rand(15.0))
      begin_in_page if @random.rand(4).zero?
      connect until @over
    end

    private

    def scheduler = @world.scheduler
    def network = @world.network
    def account = @world.store.accounts.fetch(@key)

    # The page was made from the log as it is, and says up to where.
    def begin_in_page
      return if account.deleted

      @cursor = account.position
      @text = account.text
      @events = account.events
      @over = account.state && true
    end

    def connect
      @catch_up = @world.catch_up_class.new(network, @key, @cursor)
      patient_until = scheduler.now + @world.lease + 5
      loop do
        break if @over

        frames = trying { @catch_up.next }
        if frames then take(frames)
        elsif @catch_up.over? then break @over = true
        elsif @catch_up.ahead? then hold(patient_until)
        else break follow(@catch_up.position)
        end
        return if @random.rand(12).zero? # the connection broke
      end
      finish if @over
    end

    def trying
      yield
    rescue Streamer::StoreUnavailableError
      scheduler.sleep(@random.rand(1.0))
      retry
    end

    def hold(patient_until)
      scheduler.sleep(0.5 + @random.rand(1.0))
      trying { scheduler.now > patient_until ? @catch_up.give_up : @catch_up.look }
    end

    # Live, from here on; until the connection breaks or it has to be begun anew.
    def follow(position)
      behind = 0
      until @over || @random.rand(25).zero?
        batches = trying { network.read({ @key => position }, limit: @random.rand(1..20)) }.fetch(@key, [])
        batches.each do |batch|
          return unless @world.catch_up_class.follows?(position, batch)

          take(batch.after(position))
          position = batch.last
        end
        next unless batches.empty?

        scheduler.sleep(@random.rand(3.0))
        behind = behind?(position) ? behind + 1 : 0
        return if @over || behind > 6
      end
    end

    # How the log is: as a process looks from time to time.
    def behind?(position)
      return false unless @random.rand(3).zero?

      head = trying { network.heads([@key])[@key] } or return @over = @gone = true
      head.pruned > position || head.position < position
    end

    def take(frames)
      Log::Frames.entries(frames).zip(Log::Frames.split(frames)) { |entry, frame| apply(entry, frame) }
    end

    # As a browser's own code would.
    def apply(entry, frame)
      violate("saw #{entry.id} behind the close") if @closed
      entry.kind == :gap ? gap(entry) : one(entry, frame)
    end

    def one(entry, frame)
      made = account.made[entry.id] or violate("saw #{entry.id}, which nobody has made")
      violate("saw other bytes at #{entry.id}") if made.frame != frame
      violate("saw #{entry.id} behind #{@cursor}") if entry.position <= @cursor
      entry.kind == :attempt ? attempt(entry) : violate_hole(entry)
      @cursor = entry.position
      keep(entry, made)
    end

    def attempt(entry)
      return reset if entry.json["mode"] == "reset"

      violate("saw #{entry.id} go on from #{entry.json["from"]}, and has come to #{@cursor}") if entry.json["from"] != @cursor.to_s
    end

    def violate_hole(entry)
      violate("saw #{entry.id} behind #{@cursor}: a hole") if entry.position != @cursor.next
    end

    def keep(entry, made)
      @text << made.text if made.text
      @events << entry.id if made.kind == :data && made.text.nil?
      closed(entry) if made.kind == :close
    end

    def reset
      @text = "".b
      @events = []
    end

    def gap(entry)
      data = entry.json
      void = data["after"] == "0-0"
      known = void || [@before_gap.to_s, @cursor.to_s].include?(data["after"])
      violate("was told of a gap from #{data["after"]}, and has come to #{@cursor}") unless known
      continues = data["mode"] == "continue"
      @before_gap = @cursor unless continues
      @text = "".b unless continues
      @events = [] if void && !continues
      @text << data["content"].b
      @events.concat(data.fetch("events", []).map { |event| event["id"] })
      violate("was told of a gap through #{entry.id}, and has come to #{@cursor}") unless void || entry.position >= @cursor
      @cursor = entry.position
    end

    def closed(entry)
      data = entry.json
      @over = @closed = true
      violate("has #{@text.bytesize} bytes of text; the close says #{data["length"]}") if data["length"] != @text.bytesize
      violate("has a text with another checksum than the close says") if data["sha256"] != Digest::SHA256.hexdigest(@text)
    end

    # At the end it has what everybody has.
    def finish
      return if @gone || account.deleted

      violate("is at its end, and the log is not") if account.state.nil?
      violate("has another text: #{@text.inspect}, not #{account.text.inspect}") if @text != account.text
      violate("has the events #{@events}, not #{account.events}") if @events != account.events
      @world.readers_done += 1
    end

    def violate(what) = raise(Violation, "a reader of #{@key} (#{@catch_up&.mode}) #{what}")
  end
end
