# frozen_string_literal: true

# What a worker does with Action Cable: a stream for each answer.
class Broadcasts
  def self.make_tables
    return unless WAY == "solid_cable"

    gem = Gem.loaded_specs.fetch("solid_cable").full_gem_path
    ActiveRecord::Schema.verbose = false
    load Dir[File.join(gem, "lib/generators/solid_cable/install/templates/db/cable_schema.rb")].fetch(0)
  end

  def initialize(ids)
    @streams = ids.map { |id| "answer:#{id}" }
  end

  def hand_over(index, text) = ActionCable.server.broadcast(@streams[index], { content: text })

  def flush = nil

  def close = nil
end
