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

# As the gem's own generator does.
def install(record, table, gem, template)
  connection = record.connection
  return if connection.table_exists?(table)

  schema = File.read(File.join(Gem.loaded_specs.fetch(gem).full_gem_path, "lib/generators", gem, "install/templates/db", template))
  connection.instance_eval(schema[/\A.*?do\n(.*)^end/m, 1])
end

install(SolidQueue::Record, :solid_queue_jobs, "solid_queue", "queue_schema.rb")
install(SolidCable::Record, :solid_cable_messages, "solid_cable", "cable_schema.rb") unless ENV.key?("DEMO_REDIS")

class LogRecord < ActiveRecord::Base
  self.abstract_class = true
  connects_to database: { writing: :logs }
end
LogTables.create(LogRecord) unless LogRecord.connection.table_exists?(:streamer_logs)
