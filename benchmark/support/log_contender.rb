# frozen_string_literal: true

module Bench
  # A way from a worker to a browser of another process. way: streamer, solid_cable or cable (Action Cable's own adapter); store: sqlite,
  # postgresql or redis.
  LogContender = Struct.new(:name, :way, :store, keyword_init: true) do
    def ours? = way == "streamer"

    # Where reader %d of these answers reads.
    def path(prefix) = ours? ? "/answers/#{prefix}-%d" : "/cable"

    # What the load generator needs to know besides.
    def options(prefix) = ours? ? [] : ["channel=Answers:#{prefix}-%d"]

    def to_s = name
  end

  # All there are.
  module LogContenders
    SQLITE = LogContender.new(name: "streamer on SQLite", way: "streamer", store: "sqlite")
    POSTGRESQL = LogContender.new(name: "streamer on PostgreSQL", way: "streamer", store: "postgresql")
    REDIS = LogContender.new(name: "streamer on Redis", way: "streamer", store: "redis")
    SOLID_SQLITE = LogContender.new(name: "Solid Cable on SQLite", way: "solid_cable", store: "sqlite")
    SOLID_POSTGRESQL = LogContender.new(name: "Solid Cable on PostgreSQL", way: "solid_cable", store: "postgresql")
    CABLE_REDIS = LogContender.new(name: "Action Cable on Redis", way: "cable", store: "redis")

    OURS = [SQLITE, POSTGRESQL, REDIS].freeze
    RIVALS = { SQLITE => SOLID_SQLITE, POSTGRESQL => SOLID_POSTGRESQL, REDIS => CABLE_REDIS }.freeze
    ALL = RIVALS.to_a.flatten.freeze
  end
end
