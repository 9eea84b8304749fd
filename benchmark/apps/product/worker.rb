# frozen_string_literal: true

# Solid Queue, in one process. On SIGUSR1 it writes to worker.json how many connections its pools have.
require_relative "application"

trap("USR1") do
  Thread.new do
    pools = ActiveRecord::Base.connection_handler.connection_pool_list(:all)
    sizes = pools.to_h { |pool| [pool.db_config.name, pool.connections.size] }
    path = File.join(ENV.fetch("APP_ROOT"), "worker.json")
    File.write("#{path}.new", JSON.generate(sizes))
    File.rename("#{path}.new", path)
  end
end

SolidQueue::Supervisor.start(mode: :async, skip_recurring: true)
