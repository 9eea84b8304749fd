# frozen_string_literal: true

module Streamer
  module Generation
    # Which generation a key has started already: one of the same owner, as the unique index over the key has it.
    module Idempotency # :nodoc:
      class << self
        # The one that has this one's key; nil where there is none. lock: also one that was committed after the caller's transaction had begun.
        def started(generation, lock: false)
          return unless generation.idempotency_key

          model = generation.class.base_class.unscoped
          model = model.lock if lock
          model.find_by(generation.slice(*columns(generation.class)))
        end

        private

        # Without an index a double click that two processes get would be two answers.
        def columns(model)
          indexes = model.with_connection { |connection| connection.schema_cache.indexes(model.table_name) }
          index = indexes.find { |candidate| candidate.unique && candidate.columns.is_a?(Array) && candidate.columns.include?("idempotency_key") }
          return index.columns if index

          raise ArgumentError, "start! with an idempotency_key needs a unique index over it, and the owner where there is one: " \
                               "add_index :#{model.table_name}, [:user_id, :idempotency_key], unique: true"
        end
      end
    end
  end
end
