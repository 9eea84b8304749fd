# frozen_string_literal: true

require "delegate"

# A store that does what a test wants it to in the place of a call, once or for as long as it says.
#
#   store = UnsteadyStore.new(Streamer::Stores::Memory.new)
#   store.instead(:append) { raise Streamer::StoreUnavailableError, "away" }   # once
#   store.instead(:append, times: 3) { |original, *arguments| original.call }  # original: what would have been done
class UnsteadyStore < SimpleDelegator
  CALLS = %i[create heads claim append renew release stop read text overdue expired prune delete wake watch].freeze

  def initialize(store)
    super
    @lock = Mutex.new
    @instead = {}
  end

  def instead(name, times: 1, &block) = @lock.synchronize { (@instead[name] ||= []).concat([block] * times) }

  # For good.
  def as_usual = @lock.synchronize { @instead.clear }

  CALLS.each do |name|
    define_method(name) do |*arguments, **options, &block|
      original = -> { __getobj__.public_send(name, *arguments, **options, &block) }
      instead = @lock.synchronize { @instead[name]&.shift }
      instead ? instead.call(original, *arguments) : original.call
    end
  end
end
