# frozen_string_literal: true

# Appends by hand, and what they look like when they are read.
module LogWriting
  Position = Streamer::Log::Position
  START = Position::START

  private

  # One token each.
  def frames(epoch, sequences, text = "x")
    sequences.map { |sequence| Streamer::Log::Frames.entry(Position.new(epoch, sequence), { content: "#{text}#{sequence}" }, event: "token") }.join.b
  end

  # An Append of `count` entries behind `after`.
  def entries(key, epoch, after, count = 1, **options)
    sequences = (after + 1)..(after + count)
    Streamer::Log::Append.new(key: key, epoch: epoch, after: after, last: after + count, frames: frames(epoch, sequences), **options)
  end

  def closing(key, epoch, after, state = "completed")
    position = Position.new(epoch, after + 1)
    piece = Streamer::Log::Piece.new(through: position, text: "all")
    Streamer::Log::Append.new(key: key, epoch: epoch, after: after, last: after + 1, state: state, piece: piece,
                              frames: Streamer::Log::Frames.entry(position, { state: state }, event: Streamer::Log::Frames::STATES[state]))
  end

  # A log that somebody writes.
  def claimed(store, key = fresh_key, owner: "writer", lease: 30)
    store.create(key)
    store.claim(key, owner: owner, lease: lease)
    key
  end

  def fresh_key = "log-#{SecureRandom.hex(6)}"

  # "1-0", "1-1", ... of what is stored.
  def positions(store, key, after: START)
    batches = store.read({ key => after })[key] || []
    batches.flat_map { |batch| batch.entries(after: after).map { |entry| entry.position.to_s } }
  end
end
