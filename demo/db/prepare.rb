# frozen_string_literal: true

# Makes what tables are missing; the chats that are there stay. bin/demo runs it before anything else.
require_relative "../config/environment"
require_relative "../../test/support/log_tables"

ActiveRecord::Schema.verbose = false

unless ActiveRecord::Base.connection.table_exists?(:chats)
  ActiveRecord::Schema.define do
    create_table :chats do |t|
      t.string :key, null: false, index: { unique: true }
      t.timestamps
    end

    # From here on as `rails g streamer:generation AiGeneration` makes them, with a chat and a trouble.
    create_table :ai_generations do |t|
      t.references :chat, null: false, foreign_key: true
      t.string :trouble
      t.string :status, null: false, default: "processing"
      t.string :phase, default: "queued"
      t.text :prompt, null: false
      t.text :content
      t.string :error
      t.text :error_message
      t.json :usage
      t.string :log_key, null: false, index: { unique: true }
      t.string :idempotency_key
      t.datetime :started_at
      t.datetime :first_chunk_at
      t.datetime :finished_at
      t.timestamps

      t.index %i[chat_id idempotency_key], unique: true
      t.index %i[status updated_at]
    end

    create_table :streamer_upstream_requests do |t|
      t.references :generation, polymorphic: true, null: false
      t.integer :attempt, null: false
      t.string :outcome
      t.text :usage
      t.datetime :started_at, null: false
      t.datetime :finished_at
    end

    create_table :streamer_scopes do |t|
      t.string :name, null: false, index: { unique: true }
    end
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
