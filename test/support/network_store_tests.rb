# frozen_string_literal: true

require_relative "cutting_proxy"

# What holds where the database is a server that may go away. Beside ActiveRecordStoreTests; whoever includes it has `server`, of class
# Databases::Server, and says which statement's answer it has to lose for an append to be stored without the writer's knowing.
module NetworkStoreTests
  def test_an_append_whose_answer_was_lost_is_stored_once
    through_proxy do |store, proxy|
      key = claimed(store)
      store.append([entries(key, 1, 0)])
      proxy.lose_answer_to(ambiguous)
      append = entries(key, 1, 1, 2)
      assert_raises(Streamer::StoreUnavailableError) { store.append([append]) }
      assert_equal 1, proxy.lost
      head = retrying { store.append([append]) }.first
      assert_equal [1, 3], [head.epoch, head.sequence] # settled: it had been stored
      assert_equal %w[1-0 1-1 1-2 1-3], positions(@store, key)
    end
  end

  def test_an_append_that_was_not_stored_is_stored_when_it_comes_again
    through_proxy do |store, proxy|
      key = claimed(store)
      proxy.cut
      append = entries(key, 1, 0)
      results = retrying { store.append([append]) }
      assert(results == [nil] || results.first.sequence == 1)
      assert_equal %w[1-0 1-1], positions(@store, key)
    end
  end

  def test_a_server_that_restarts_is_unavailable_and_then_goes_on
    own = server_class.new
    database = LogDatabase.new(own.fresh)
    store = database.store
    key = claimed(store)
    store.append([entries(key, 1, 0)])
    own.stop
    calls = [-> { store.append([entries(key, 1, 1)]) }, -> { store.read({ key => LogWriting::START }) }, -> { store.heads([key]) },
             -> { store.create("a") }, -> { store.renew({ key => 1 }, owner: "writer", lease: 30) }]
    errors = calls.map { |call| assert_raises(Streamer::StoreUnavailableError) { call.call } }
    assert(errors.all?(&:cause))
    own.start
    assert_equal [nil], retrying { store.append([entries(key, 1, 1)]) }
    assert_equal %w[1-0 1-1 1-2], positions(store, key)
  ensure
    database&.close
    own&.remove
  end

  def test_watching_survives_a_restart_of_the_server
    own = server_class.new
    database = LogDatabase.new(own.fresh)
    store = database.store
    other = database.store
    key = claimed(store)
    told = Thread::Queue.new
    watch = store.watch { |keys| told << (keys || [key]) }
    told.pop
    own.restart
    wait_until do
      retrying { other.append([entries(key, 1, other.heads([key])[key].sequence)]) }
      other.wake([key])
      told.clear
      sleep 0.05
      !told.empty?
    end
  ensure
    watch&.close
    database&.close
    own&.remove
  end

  private

  def try(before, statement)
    @store.connections.own do |connection|
      connection.execute(before)
      connection.execute(statement)
    ensure
      connection.disconnect!
    end
  end

  def through_proxy
    proxy = CuttingProxy.new(server.host, server.port)
    database = LogDatabase.new(@database.configuration.merge(port: proxy.port), tables: false)
    yield database.store, proxy
  ensure
    database&.close
    proxy&.stop
  end
end
