# frozen_string_literal: true

# Makes the tables of the application.
require_relative "application"
require_relative "../../../demo/db/generation_tables"
require_relative "../../../test/support/log_tables"

class LogRecord < ActiveRecord::Base
  self.abstract_class = true
  connects_to database: { writing: :logs }
end

GenerationTables.create("answers")
LogTables.create(LogRecord)
ActiveRecord::Schema.verbose = false
template = "lib/generators/solid_queue/install/templates/db/queue_schema.rb"
schema = File.read(File.join(Gem.loaded_specs.fetch("solid_queue").full_gem_path, template))
SolidQueue::Record.connection.instance_eval(schema[/\n(.*)^end/m, 1])
