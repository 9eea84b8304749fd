# frozen_string_literal: true

module Simulation
  # What is true of one log, kept without the code under test: what its store was asked to do and said that it did.
  class Account
    # One entry; kind: :attempt, :data, :state, :close. text: what it adds to the text, nil for none.
    Item = Struct.new(:position, :frame, :kind, :text)

    attr_reader :key, :epoch, :owner, :lease_until, :stop_epoch, :text_epoch, :items, :state, :closed_by, :interrupted, :made
    attr_accessor :deleted

    def initialize(key)
      @key = key
      @epoch = @text_epoch = @stop_epoch = @interrupted = 0
      @lease_until = 0
      @items = []  # what is in the log, in order, pruned or not
      @made = {}   # id => frame: everything that was ever an entry
      @deleted = false
    end

    def open? = state.nil? && !deleted
    def leased?(now) = open? && !owner.nil? && now < lease_until
    def sequence = items.empty? ? 0 : items.last.position.sequence
    def position = items.empty? ? Streamer::Log::Position::START : items.last.position

    # An entry's bytes, which are the same for ever.
    def make(position, frame, kind, text)
      known = @made[position.to_s]
      raise Violation, "#{key} #{position} is other bytes than before" if known && known.frame != frame

      @made[position.to_s] = Item.new(position, frame, kind, text)
    end

    def claim(owner, lease, mode, now)
      @interrupted += 1 if !@owner.nil? && @owner != owner && now >= lease_until
      @epoch += 1
      @text_epoch = @epoch if @epoch == 1 || mode == "reset"
      @owner = owner
      @lease_until = now + lease
    end

    def renew(owner, epoch, lease, now)
      @lease_until = now + lease if written_by?(owner, epoch)
    end

    def release(owner, epoch)
      @owner = nil if written_by?(owner, epoch)
    end

    def stop(epoch)
      @stop_epoch = epoch if open? && epoch == @epoch
    end

    def close(state, epoch)
      @state = state
      @closed_by = epoch
      @owner = nil
    end

    # Its store has lost what is behind the position.
    def lose(position)
      @items.pop while !@items.empty? && @items.last.position > position
    end

    def current = items.select { |item| item.position.epoch >= text_epoch }

    # Of the entries through a position.
    def text(through = nil)
      current.filter_map { |item| item.text if through.nil? || item.position <= through }.join.b
    end

    # The ids of the entries of the current text that are none.
    def events = current.filter_map { |item| item.position.to_s if item.kind == :data && item.text.nil? }

    def written_by?(owner, epoch) = open? && @owner == owner && @epoch == epoch
  end
end
