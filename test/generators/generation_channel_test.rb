# frozen_string_literal: true

require "test_helper"
require "support/generator_case"
require "active_record"
require "generators/streamer/generation/generation_generator"

# rails g streamer:generation --channel: what there is to each way to the page.
class GenerationChannelGeneratorTest < GeneratorCase
  tests Streamer::Generators::GenerationGenerator

  PROCESSING = "app/views/admin/answers/_processing.html.erb"
  MODEL = "app/models/admin/answer.rb"

  def test_event_streams_unless_somebody_says_otherwise
    generate

    assert_file PROCESSING, /\A<%= streamer_source events_admin_answer_path\(answer\), event: "token", path: "content" do %>\n/
    assert_file(MODEL) { |text| refute_match(/broadcasts_text/, text) }
    assert_file("app/javascript/application.js", "")
  end

  def test_turbo_streams
    generate "--channel=turbo"

    assert_file PROCESSING, <<~ERB
      <%= turbo_stream_from answer %>
      <%= streamer_text answer, style: "white-space: pre-wrap" %>
      <%= button_to "Stop", stop_admin_answer_path(answer) %>
    ERB
    assert_file MODEL, /^  limit_in_progress 3\n  broadcasts_text\n\n  validates/
    assert_file "app/javascript/application.js", "import \"streamer/broadcasts\"\n"
    assert_file "config/importmap.rb", ""
  end

  def test_a_channel
    generate "--channel=cable"

    assert_file PROCESSING, /\A<%= streamer_text answer, style: "white-space: pre-wrap" %>\n<%= button_to/
    assert_file MODEL, /^  broadcasts_text over: :cable$/
    assert_file "app/javascript/application.js", "import \"streamer/cable\"\n"
    assert_file "config/importmap.rb", "pin \"@rails/actioncable\", to: \"actioncable.esm.js\"\n"
  end

  def test_partials_that_are_rendered_in_a_job_name_others_in_full
    generate

    assert_file "app/views/admin/answers/_failed.html.erb", "<%= render \"admin/answers/failure\", answer: answer %>\n"
  end

  private

  def generate(*options)
    %w[config/routes.rb config/importmap.rb app/javascript/application.js].each { |name| write(name, name.end_with?("routes.rb") ? ROUTES : "") }
    run_generator ["admin/answer", *options]
  end

  ROUTES = "Rails.application.routes.draw do\nend\n"
  private_constant :ROUTES
end
