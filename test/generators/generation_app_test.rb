# frozen_string_literal: true

require "test_helper"
require "rails"
require "support/fresh_app"

# rails g streamer:generation in applications as `rails new` makes them: what it makes works as it is.
class GeneratedGenerationTest < Minitest::Test
  GREEN = /[1-9]\d* runs, [1-9]\d* assertions, 0 failures, 0 errors/

  CURRENT_USER = <<~RUBY
    class ApplicationController < ActionController::Base
      private

      def current_user = User.find_or_create_by!(name: request.headers["X-User"] || "one")
    end
  RUBY

  # What a user may do with what is another's.
  ANOTHERS = <<~RUBY
    require "test_helper"

    class AnothersTest < ActionDispatch::IntegrationTest
      test "row 46: what is another user's is not found, and nothing happens to it" do
        theirs = User.create!(name: "two").ai_generations.start!(prompt: "Why?")
        [-> { get ai_generation_path(theirs) }, -> { post stop_ai_generation_path(theirs) }, -> { get events_ai_generation_path(theirs) }].each do |ask|
          ask.call
          assert_response :not_found
        end
        assert_predicate theirs.reload, :processing?
        post stop_ai_generation_path(theirs), headers: { "X-User" => "two" }
        assert_equal "cancelled", theirs.reload.status
      end

      test "the fourth is refused with a message in the page" do
        3.times { |number| post ai_generations_path, params: { prompt: "Why?", key: number } }
        post ai_generations_path, params: { prompt: "Why?", key: "4" }
        follow_redirect!
        assert_select "[role=alert]", /3 answers are in progress already/
      end
    end
  RUBY

  def teardown
    @app&.remove
  end

  def test_its_generated_tests_pass_and_destroying_it_leaves_nothing
    app
    before = @app.tree
    @app.run("bin/rails generate streamer:generation AiGeneration")
    @app.run("bin/rails db:migrate")

    assert_match(GREEN, @app.run("bin/rails test"))
    @app.run("bin/rails destroy streamer:generation AiGeneration")
    assert_equal before, @app.tree
  end

  def test_with_an_owner_and_uuids_its_generated_tests_pass_and_another_user_s_is_not_found
    app
    @app.write("config/initializers/generators.rb", "Rails.application.config.generators { |g| g.orm :active_record, primary_key_type: :string }\n")
    @app.run("bin/rails generate model user name:string --no-fixture")
    @app.write("app/controllers/application_controller.rb", CURRENT_USER)
    @app.write("app/models/application_record.rb", <<~RUBY)
      class ApplicationRecord < ActiveRecord::Base
        primary_abstract_class
        before_create { self.id ||= SecureRandom.uuid }
      end
    RUBY
    @app.run("bin/rails generate streamer:generation AiGeneration --owner user")
    @app.write("test/integration/anothers_test.rb", ANOTHERS)
    @app.run("bin/rails db:migrate")

    assert_match(/t\.string "generation_id", null: false/, @app.read("db/schema.rb"))
    assert_match(GREEN, @app.run("bin/rails test"))
  end

  private

  def app
    @app = FreshApp.new
    @app.add("streamer")
    @app.run("bin/rails generate streamer:install")
    @app.run("bin/rails generate streamer:log")
  end
end
