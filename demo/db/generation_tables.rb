# frozen_string_literal: true

require "active_record"
require "erb"

# The tables of generations as the generator's migrations make them, for the demo and for what is measured.
module GenerationTables
  TEMPLATES = File.expand_path("../../lib/generators/streamer/generation/templates", __dir__)

  # On the application's own connection. owner: the association that generations belong to, a String.
  def self.create(table_name, owner: nil)
    values = { table_name: table_name, owner: owner, primary_key_option: "", reference_type: "" }
    place = Module.new
    %w[create_generations create_tables].each do |name|
      template = File.join(TEMPLATES, "#{name}.rb.tt")
      place.module_eval(ERB.new(File.read(template), trim_mode: "-").result_with_hash(values), template)
    end
    ActiveRecord::Migration.suppress_messages do
      place.constants.each { |migration| place.const_get(migration).migrate(:up) }
    end
  end
end
