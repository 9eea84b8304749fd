# frozen_string_literal: true

require "rails"
require "active_record/railtie"
require "active_job/railtie"
require "solid_queue" if ENV.fetch("QUEUE") == "solid_queue"
require "sidekiq" if ENV.fetch("QUEUE") == "sidekiq"
require "async/job/adapter/active_job" if ENV.fetch("QUEUE") == "async_job"
require "streamer"
require "streamer/railtie"
require_relative "considerate_sqlite"
require_relative "generation_tables"
require_relative "log_tables"

# The application behind the tests of queues: a model of generations and its job on real queues, in as many processes as a test wants, which
# share a directory (its databases). See QueueSite, which starts them; the environment says what is different.
#
#   QUEUE       solid_queue, sidekiq, async_job
#   LEASE       seconds
#   POOL        connections of the application's database and of the logs'
#   QUEUE_POOL  of Solid Queue's own
#   LOG_REDIS   a URL; the logs are there instead of in the database
#   PARTIAL     keep, restart
module QueueApp
  DIRECTORY = ENV.fetch("DIRECTORY")

  # As Rails 8 does by itself: whoever waits for the lock does so before it has read anything.
  def self.database(name, pool)
    { adapter: "sqlite3", database: File.join(DIRECTORY, "#{name}.sqlite3"), pool: pool, timeout: 10_000, default_transaction_mode: :immediate }
  end

  def self.databases
    pool = ENV.fetch("POOL", "5").to_i
    { primary: database("app", pool), queue: database("queue", ENV.fetch("QUEUE_POOL", "100").to_i), logs: database("logs", pool) }
  end

  class Application < Rails::Application
    config.root = DIRECTORY
    config.load_defaults Rails::VERSION::STRING.to_f
    config.eager_load = false
    config.secret_key_base = "only for tests" * 3
    config.logger = ActiveSupport::Logger.new($stdout)
    config.log_level = :warn
    config.active_support.isolation_level = ENV.fetch("ISOLATION", "thread").to_sym
    config.active_job.queue_adapter = ENV.fetch("QUEUE").to_sym
    if ENV.fetch("QUEUE") == "solid_queue"
      config.solid_queue.connects_to = { database: { writing: :queue } }
      config.solid_queue.shutdown_timeout = 5
    end
    config.streamer.log.lease = ENV.fetch("LEASE", "30").to_f
    if ENV.key?("LOG_REDIS")
      config.streamer.log.store = :redis
      config.streamer.log.redis = { url: ENV.fetch("LOG_REDIS") }
    else
      config.streamer.log.store = :active_record
      config.streamer.log.connects_to = { database: { writing: :logs } }
    end

    config.define_singleton_method(:database_configuration) { { "production" => QueueApp.databases } }
  end

  class Job < ActiveJob::Base
    include Streamer::Job

    def perform(generation) = stream_into(generation, generation.request, value: "choices.0.delta.content")
  end
  Job.retry_partial(ENV.fetch("PARTIAL", "keep").to_sym)

  class Owner < ActiveRecord::Base
    self.table_name = "owners"
    has_many :generations, class_name: "QueueApp::Answer"
  end

  class Answer < ActiveRecord::Base
    self.table_name = "answers"
    include Streamer::Generation

    belongs_to :owner, class_name: "QueueApp::Owner", optional: true
    streams_in "QueueApp::Job"

    # Its prompt says where.
    def request = Streamer::Client.new(prompt).request(:get)
  end

  SOLID_QUEUE_TABLES = "lib/generators/solid_queue/install/templates/db/queue_schema.rb"

  # Once, by the test.
  def self.create_tables
    ActiveRecord::Schema.verbose = false
    on(:primary) { ActiveRecord::Schema.define { GenerationTables.create(self) } }
    on(:logs) { LogTables.create(ActiveRecord::Base) }
    on(:queue) { load File.join(Gem.loaded_specs["solid_queue"].gem_dir, SOLID_QUEUE_TABLES) } if defined?(SolidQueue)
  end

  def self.on(name)
    ActiveRecord::Base.establish_connection(name)
    yield
  end
  private_class_method :on
end

QueueApp::Application.initialize!
