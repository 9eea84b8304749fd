# frozen_string_literal: true

# The tables that a model of generations needs, as the generator's migration makes them; `answers` is the model's own.
module GenerationTables
  # schema: what ActiveRecord::Schema.define runs in.
  def self.create(schema)
    schema.create_table(:owners)
    schema.create_table(:answers) do |t|
      t.references :owner
      t.string :type, :provider
      t.string :status, null: false, default: "processing"
      t.string :phase, default: "queued"
      t.text :prompt, :error_message
      t.text :content, limit: 1_073_741_823
      t.string :error, :idempotency_key
      t.string :log_key, null: false
      t.json :usage
      t.datetime :started_at, :first_chunk_at, :finished_at
      t.timestamps
      t.index :log_key, unique: true
      t.index %i[owner_id idempotency_key], unique: true
    end
    schema.create_table(:streamer_scopes) { |t| t.string :name, null: false, index: { unique: true } }
    schema.create_table(:streamer_upstream_requests) do |t|
      t.references :generation, polymorphic: true, null: false
      t.integer :attempt, null: false
      t.string :outcome
      t.string :response_id
      t.boolean :resumed, :discarded, null: false, default: false
      t.bigint :bytes
      t.text :usage
      t.datetime :started_at, :finished_at
    end
  end
end
