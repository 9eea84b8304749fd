# frozen_string_literal: true

require "test_helper"
require "support/generator_case"
require "generators/streamer/update/update_generator"

# rails g streamer:update in an application that an older version has set up.
class UpdateGeneratorTest < GeneratorCase
  tests Streamer::Generators::UpdateGenerator

  INITIALIZER = "config/initializers/streamer.rb"

  def test_settings_that_the_initializer_does_not_name_are_added_behind_what_it_says
    write INITIALIZER, "Rails.application.config.streamer.heartbeat = 5\n"
    run_generator

    assert_file INITIALIZER do |text|
      assert_match(/\ARails.application.config.streamer.heartbeat = 5\n\n# Seconds in which/, text)
      assert_equal %w[heartbeat write_timeout drain_timeout], text.scan(/config\.streamer\.(\w+) =/).flatten
    end
  end

  def test_a_second_time_changes_nothing
    run_generator
    before = File.read(File.join(destination_root, INITIALIZER))
    run_generator

    assert_file INITIALIZER, before
  end

  def test_what_is_missing_of_the_rest_is_added
    write INITIALIZER, "# ours\n"
    write "config/puma.rb", "plugin :tmp_restart\n"
    run_generator

    assert_file "config/puma.rb", /^plugin :streamer$/
  end
end
