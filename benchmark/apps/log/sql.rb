# frozen_string_literal: true

# Counts what Active Record sends.
module SQL
  @statements = @commits = 0
  singleton_class.attr_accessor :statements, :commits

  ActiveSupport::Notifications.subscribe("sql.active_record") do |*, payload|
    next if payload[:name] == "SCHEMA"

    self.statements += 1
    self.commits += 1 if payload[:sql].match?(/\Acommit/i)
  end
end
