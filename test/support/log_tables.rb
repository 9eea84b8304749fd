# frozen_string_literal: true

require "active_record"
require "erb"

# The logs' tables as the generator's migration makes them.
module LogTables
  TEMPLATE = File.expand_path("../../lib/generators/streamer/log/templates/create_streamer_logs.rb.tt", __dir__)

  # record: an abstract class that is connected. key_type: what the application chose for its keys; nil for its database's own.
  def self.create(record, key_type: nil)
    run(record, :up, key_type)
  end

  def self.run(record, direction, key_type)
    id_option = key_type ? ", id: :#{key_type}" : ""
    reference_type = key_type || "bigint"
    place = Module.new
    place.module_eval(ERB.new(File.read(TEMPLATE), trim_mode: "-").result_with_hash(id_option: id_option, reference_type: reference_type), TEMPLATE)
    ActiveRecord::Migration.suppress_messages { record.with_connection { |connection| place::CreateStreamerLogs.new.exec_migration(connection, direction) } }
  end
  private_class_method :run
end
