# frozen_string_literal: true

require "streamer"
require "support/databases"

# Logs on real databases, in real processes, and what happens to both: what the simulation is for the rules.
#
#   site = Trials::SITES.fetch("sqlite").new
#   Trials::Trial.new(site, 4711).run    # raises Trials::Trial::Broken
module Trials
end

%w[site sql_site sqlite_site postgresql_site redis_site fragile_store careless_store author trial].each { |name| require_relative "trials/#{name}" }

Trials::SITES = { "sqlite" => Trials::SQLiteSite, "postgresql" => Trials::PostgreSQLSite, "redis" => Trials::RedisSite }.freeze
