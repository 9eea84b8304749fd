# frozen_string_literal: true

require "test_helper"
require "rails"
require "support/fresh_app"

# The generators in applications as `rails new` makes them. That of the guide is in test/install/getting_started_test.rb.
class GeneratedAppTest < Minitest::Test
  def teardown
    @app&.remove
  end

  def test_an_api_only_application_gets_no_page_and_its_generated_test_passes
    @app = FreshApp.new("--api")
    @app.add("streamer")
    @app.run("bin/rails generate streamer:install")
    @app.run("bin/rails generate streamer:stream answer")

    refute @app.exist?("app/views/answers/show.html.erb")
    assert_match(/2 runs, [1-9]\d* assertions, 0 failures, 0 errors/, @app.run("bin/rails test"))
  end

  def test_everything_is_made_once_in_rails_own_files_and_destroyed_without_a_trace
    @app = FreshApp.new
    @app.add("streamer")
    before = @app.tree
    generate_all
    made = @app.tree

    assert_equal %w[Dockerfile app/clients/admin/answer_client.rb app/controllers/admin/answers_controller.rb
                    app/javascript/controllers/streamer_controller.js app/views/admin/answers/show.html.erb config/initializers/streamer.rb
                    config/puma.rb config/routes.rb test/controllers/admin/answers_controller_test.rb],
                 made.reject { |name, text| before[name] == text }.keys.sort
    assert_match(/3 runs, [1-9]\d* assertions, 0 failures, 0 errors/, @app.run("bin/rails test"))

    generate_all
    @app.run("bin/rails generate streamer:update")
    assert_equal made, @app.tree

    @app.run("bin/rails destroy streamer:stream admin/answer")
    @app.run("bin/rails destroy streamer:install")
    assert_equal before, @app.tree
  end

  def test_with_rspec_the_generated_spec_passes
    @app = FreshApp.new("--skip-test")
    @app.add("streamer", "rspec-rails")
    @app.run("bin/rails generate rspec:install")
    @app.run("bin/rails generate streamer:install")
    @app.run("bin/rails generate streamer:stream answer")

    assert_includes @app.run("bundle exec rspec"), "3 examples, 0 failures"
  end

  private

  def generate_all
    @app.run("bin/rails generate streamer:install")
    @app.run("bin/rails generate streamer:stream admin/answer")
  end
end
