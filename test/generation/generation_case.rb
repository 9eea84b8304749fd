# frozen_string_literal: true

require "test_helper"
require "active_record"
require "active_job"
require "global_id"
require "support/generation_tables"

# A model, its job and their tables, in a database of the test's own.
class GenerationCase < Minitest::Test
  class Owner < ActiveRecord::Base
    self.table_name = "owners"
    has_many :generations, class_name: "GenerationCase::Answer"
  end

  class Work < ActiveJob::Base
    include Streamer::Job

    cattr_accessor :source

    def perform(generation) = stream_into(generation) { |out| source.call(out) }
  end

  class Answer < ActiveRecord::Base
    self.table_name = "answers"
    include GlobalID::Identification
    include Streamer::Generation

    belongs_to :owner, class_name: "GenerationCase::Owner", optional: true
    streams_in Work
    limit_in_progress 3, per: :owner
  end

  def setup
    GlobalID.app = "streamer"
    @directory = Dir.mktmpdir
    ActiveRecord::Base.establish_connection(database)
    ActiveRecord::Schema.verbose = false
    ActiveRecord::Schema.define { GenerationTables.create(self) }
    [Owner, Answer, Streamer::Generation::UpstreamRequest, Streamer::Generation::Scope].each(&:reset_column_information)
    Streamer::Log.store = store
    ActiveJob::Base.queue_adapter = :test
    ActiveJob::Base.logger = nil
    @adapter = ActiveJob::Base.queue_adapter
    @owner = Owner.create!
  end

  def database = { adapter: "sqlite3", database: File.join(@directory, "test.sqlite3"), timeout: 5000 }

  def store = Streamer::Stores::Memory.new

  def teardown
    ActiveRecord::Base.remove_connection
    FileUtils.rm_rf(@directory)
    Streamer::Log.store = nil
  end

  private

  def start(**attributes) = @owner.generations.start!(prompt: "Why?", **attributes)

  # Runs the job as a worker would.
  def work(generation, &source)
    Work.source = source
    Work.new(generation).tap { |job| job.perform_now }
    generation.reload
  end
end
