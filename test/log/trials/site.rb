# frozen_string_literal: true

module Trials
  # A real database that trials use, and what can be done to it. A subclass says how it is reached (store), and its own faults.
  class Site
    # As another process has it; port: of something that stands before the server, where there is one.
    def store(port: nil) = raise(NotImplementedError)

    # Names of methods that take (random, key), and come back when the database is itself again.
    def faults = %i[lose_end]

    # Of FragileStore, those that there are here.
    def points = FragileStore::POINTS

    # A proxy between a writer and the database; nil where there is no network between.
    def proxy = nil

    # After so many statements of an append its transaction is not over; 0 where it is one statement or script.
    def statements = 0

    def close; end
  end
end
