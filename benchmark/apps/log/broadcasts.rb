# frozen_string_literal: true

# Before version 4, which needs Ruby 3.3, Solid Cable reads its configuration's file anew for each message.
if WAY == "solid_cable" && SolidCable.respond_to?(:cable_config, true)
  SolidCable.define_singleton_method(:cable_config) { @cable_config ||= Rails.application.config_for("cable") }
end

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
