# frozen_string_literal: true

require "test_helper"
require "active_record"
require "support/generator_case"
require "generators/streamer/generation/generation_generator"

# rails g streamer:generation NAME and rails d streamer:generation NAME. That what it makes works is seen in fresh applications
# (generation_app_test.rb).
class GenerationGeneratorTest < GeneratorCase
  tests Streamer::Generators::GenerationGenerator

  ROUTES = "Rails.application.routes.draw do\n  get \"up\" => \"rails/health#show\"\nend\n"

  def setup
    super
    write "config/routes.rb", ROUTES
  end

  def test_model_job_client_controller_views_migrations_routes_and_test
    run_generator ["AiGeneration"]

    assert_file "app/models/ai_generation.rb", /include Streamer::Generation\n.*streams_in "AiGenerationJob"\n  limit_in_progress 3$/m
    assert_file "app/jobs/ai_generation_job.rb", /include Streamer::Job/
    assert_file "app/controllers/ai_generations_controller.rb", /follow_events @ai_generation/
    %w[processing completed failed cancelled timed_out].each { |status| assert_file "app/views/ai_generations/_#{status}.html.erb" }
    assert_migration "db/migrate/create_ai_generations.rb", /t.index :idempotency_key, unique: true/
    assert_migration "db/migrate/create_streamer_generation_tables.rb" do |text|
      columns = text.scan(/t\.\w+ :(\w+)/).flatten
      assert_empty %w[attempt outcome response_id resumed discarded bytes usage started_at finished_at name] - columns
    end
    assert_file "config/routes.rb", /resources :ai_generations, only: %i\[ index create show \] do\n    member do\n      get :events/
    assert_valid_ruby
  end

  def test_with_an_owner_its_records_are_the_owner_s_alone
    write "app/models/user.rb", "class User < ApplicationRecord\nend\n"
    run_generator %w[ai_generation --owner user]

    assert_file "app/models/user.rb", "class User < ApplicationRecord\n  has_many :ai_generations, dependent: :destroy\nend\n"
    assert_file "app/models/ai_generation.rb", /belongs_to :user\n.*limit_in_progress 3, per: :user$/m
    assert_file "app/controllers/ai_generations_controller.rb", /current_user\.ai_generations\.find\(params\[:id\]\)/
    assert_migration "db/migrate/create_ai_generations.rb", /t\.references :user, null: false.*\[:user_id, :idempotency_key\], unique: true/m
    assert_valid_ruby
  end

  def test_with_uuids_every_reference_is_one
    run_generator %w[ai_generation --owner user --primary-key-type=uuid]

    assert_migration "db/migrate/create_ai_generations.rb", /create_table :ai_generations, id: :uuid do.*t\.references :user.*type: :uuid/m
    assert_migration "db/migrate/create_streamer_generation_tables.rb", /t\.references :generation, polymorphic: true, null: false, type: :uuid/
    assert_valid_ruby
  end

  def test_within_a_namespace
    write "app/models/user.rb", "class User < ApplicationRecord\nend\n"
    run_generator %w[admin/long_answer --owner user]

    assert_file "app/models/user.rb", /has_many :admin_long_answers, class_name: "Admin::LongAnswer", dependent: :destroy/
    assert_file "app/controllers/admin/long_answers_controller.rb", /class Admin::LongAnswersController.*current_user\.admin_long_answers/m
    assert_file "config/routes.rb", /namespace :admin do\n    resources :long_answers/
    assert_valid_ruby
  end

  def test_what_all_generations_have_in_common_is_made_once_and_stays_for_the_last
    run_generator ["one"]
    run_generator ["another"]
    assert_equal 1, tree.keys.grep(/create_streamer_generation_tables/).size

    run_generator ["another"], behavior: :revoke
    assert_migration "db/migrate/create_streamer_generation_tables.rb"
    assert_file "config/initializers/streamer_log.rb", /^Rails.application.config.streamer.log.store = :active_record$/
    run_generator ["one"], behavior: :revoke
    assert_empty tree.keys.grep(%r{db/migrate|streamer_log})
  end

  def test_an_application_that_says_where_its_logs_are_is_believed
    write "config/environments/production.rb", "  config.streamer.log.store = :redis\n"
    run_generator ["one"]

    assert_no_file "config/initializers/streamer_log.rb"
  end

  def test_destroy_takes_away_what_it_has_made
    write "app/models/user.rb", "class User < ApplicationRecord\nend\n"
    before = tree
    run_generator %w[ai_generation --owner user]
    refute_equal before, tree
    run_generator %w[ai_generation --owner user], behavior: :revoke

    assert_equal before, tree
  end

  private

  def assert_valid_ruby
    tree.each { |name, text| assert(RubyVM::InstructionSequence.compile(text), name) if name.end_with?(".rb") }
  end
end
