# frozen_string_literal: true

# Makes what tables are missing; the chats that are there stay. bin/demo runs it before anything else.
require_relative "../config/environment"
require_relative "../../test/support/log_tables"
require_relative "generation_tables"

ActiveRecord::Schema.verbose = false

unless ActiveRecord::Base.connection.table_exists?(:chats)
  ActiveRecord::Schema.define do
    create_table :chats do |t|
      t.string :key, null: false, index: { unique: true }
      t.timestamps
    end
    GenerationTables.create("ai_generations", owner: "chat")
    add_column :ai_generations, :trouble, :string
  end
end

unless SolidQueue::Record.connection.table_exists?(:solid_queue_jobs)
  template = "lib/generators/solid_queue/install/templates/db/queue_schema.rb"
  schema = File.read(File.join(Gem.loaded_specs.fetch("solid_queue").full_gem_path, template))
  SolidQueue::Record.connection.instance_eval(schema[/\n(.*)^end/m, 1])
end

class LogRecord < ActiveRecord::Base
  self.abstract_class = true
  connects_to database: { writing: :logs }
end
LogTables.create(LogRecord) unless LogRecord.connection.table_exists?(:streamer_logs)
