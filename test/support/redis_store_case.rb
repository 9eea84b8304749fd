# frozen_string_literal: true

require "support/databases"

# What the tests of the store on Redis share: logs with a few entries, and what the server has of them.
module RedisStoreCase
  Position = Streamer::Log::Position
  Frames = Streamer::Log::Frames
  Append = Streamer::Log::Append
  Piece = Streamer::Log::Piece
  Unavailable = Streamer::StoreUnavailableError

  LEASE = 30
  SECONDS = 20

  private

  def new_store(redis = self.redis, **options)
    Streamer::Stores::Redis.new(**redis.fresh, prefix: redis.prefix, **options)
  end

  def redis = Databases::Redis.shared

  # A log in its first attempt; its key.
  def begun(store, key = "log-#{rand(10**9)}", owner: "me", lease: LEASE)
    store.create(key)
    store.claim(key, owner: owner, lease: lease)
    key
  end

  # An Append of the entries after + 1 up to last; with a state the last is the close.
  def entries(key, after, last, epoch: 1, state: nil, text: nil)
    frames = ((after + 1)..last).map do |sequence|
      close = state && sequence == last
      Frames.entry(Position.new(epoch, sequence), close ? { state: state } : { n: sequence }, event: close ? Frames::STATES.fetch(state) : "token")
    end.join
    piece = text && Piece.new(through: Position.new(epoch, last), text: text.b)
    Append.new(key: key, epoch: epoch, after: after, last: last, frames: frames, state: state, piece: piece)
  end

  def write(store, key, *numbers, **options) = store.append([entries(key, *numbers, **options)]).first

  def head(store, key) = store.heads([key])[key]

  def read(store, key, after = Position::START) = store.read({ key => after }).fetch(key, [])

  def ids(batches) = batches.flat_map { |batch| batch.entries.map { |entry| entry.position.to_s } }

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def eventually(what, seconds = SECONDS)
    deadline = now + seconds
    until (value = yield)
      flunk "waited #{seconds} s for: #{what}" if now > deadline
      sleep 0.01
    end
    value
  end
end
