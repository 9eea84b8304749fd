# frozen_string_literal: true

require "delegate"

# A store that counts what it is asked, and can be away or hard of hearing.
#
#   store = WatchedStore.new(Streamer::Stores::Memory.new)
#   store.asked(:read)           # how often
#   store.away = true            # StoreUnavailableError for everything
#   store.deaf = true            # wakes are lost
#   store.before(:read) { }      # called before each
class WatchedStore < SimpleDelegator
  METHODS = %i[create heads claim append renew release stop read text overdue expired prune delete].freeze

  attr_accessor :away, :deaf, :interval

  def initialize(store)
    super
    @lock = Mutex.new
    @counts = Hash.new(0)
    @before = {}
  end

  METHODS.each do |name|
    define_method(name) do |*arguments, **options, &block|
      @lock.synchronize { @counts[name] += 1 }
      raise Streamer::StoreUnavailableError, "away" if away

      @before[name]&.call(*arguments)
      __getobj__.public_send(name, *arguments, **options, &block)
    end
  end

  def asked(name) = @lock.synchronize { @counts[name] }

  def before(name, &block) = @before[name] = block

  def wake(keys) = deaf ? nil : super

  def watch(&block)
    watch = super
    seconds = interval
    watch.define_singleton_method(:interval) { seconds } if seconds
    watch
  end
end
