# frozen_string_literal: true

require "test_helper"
require "support/generator_case"
require "generators/streamer/stream/stream_generator"

# rails g streamer:stream NAME and rails d streamer:stream NAME. That what it makes works is seen in fresh applications (app_test.rb).
class StreamGeneratorTest < GeneratorCase
  tests Streamer::Generators::StreamGenerator

  ROUTES = "Rails.application.routes.draw do\n  get \"up\" => \"rails/health#show\"\nend\n"

  def setup
    super
    write "config/routes.rb", ROUTES
  end

  def test_client_controller_view_route_and_test
    run_generator ["answer"]

    assert_file "app/clients/answer_client.rb", /^class AnswerClient$/
    assert_file "app/controllers/answers_controller.rb", /^class AnswersController < ApplicationController$/
    assert_file "app/views/answers/show.html.erb", /form_with url: answer_path, data: \{ action: "streamer#start" \}/
    assert_file "config/routes.rb", /^  resource :answer, only: %i\[ show create \]$/
    assert_file "test/controllers/answers_controller_test.rb", /^class AnswersControllerTest/
  end

  def test_a_plural_name_is_the_same
    run_generator ["answers"]

    assert_file "app/clients/answer_client.rb"
    assert_file "app/controllers/answers_controller.rb", /relay_events AnswerClient.ask/
  end

  def test_within_a_namespace
    run_generator ["admin/long_answer"]

    assert_file "app/clients/admin/long_answer_client.rb", /^class Admin::LongAnswerClient$/
    assert_file "app/controllers/admin/long_answers_controller.rb", /^class Admin::LongAnswersController.*relay_events Admin::LongAnswerClient.ask/m
    assert_file "app/views/admin/long_answers/show.html.erb", /url: admin_long_answer_path/
    assert_file "config/routes.rb", /^  namespace :admin do\n    resource :long_answer, only: %i\[ show create \]\n  end$/
  end

  def test_api_and_skip_javascript_make_no_page
    %w[--api --skip-javascript].each do |option|
      prepare_destination
      write "config/routes.rb", ROUTES
      run_generator ["answer", option]

      assert_no_file "app/views/answers/show.html.erb"
      assert_file "app/controllers/answers_controller.rb", /\A(?!.*def show).*def create/m
      assert_file "config/routes.rb", /resource :answer, only: :create$/
      assert_file "test/controllers/answers_controller_test.rb", /\A(?!.*assert_select)/m
    end
  end

  def test_with_rspec_the_test_is_a_request_spec
    write "spec/rails_helper.rb", ""
    run_generator ["answer"]

    assert_file "spec/requests/answers_spec.rb", /^RSpec.describe "Answers", type: :request do$/
    assert_no_file "test/controllers/answers_controller_test.rb"
  end

  def test_what_it_makes_is_valid_ruby_and_the_same_a_second_time
    write "spec/rails_helper.rb", ""
    run_generator ["answer"]
    before = tree
    before.each { |name, text| RubyVM::InstructionSequence.compile(text) if name.end_with?(".rb") }
    run_generator ["answer"]

    assert_equal before, tree
  end

  def test_pretend_writes_nothing
    before = tree
    run_generator ["answer", "--pretend"]

    assert_equal before, tree
  end

  def test_destroy_takes_away_what_it_has_made
    before = tree
    run_generator ["admin/answer"]
    refute_equal before, tree
    run_generator ["admin/answer"], behavior: :revoke

    assert_equal before, tree
  end
end
