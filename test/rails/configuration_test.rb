# frozen_string_literal: true

require "test_helper"
require "active_support/ordered_options"
require "support/rails_app"

# config.streamer, as it is checked when an application has been initialized.
class ConfigurationTest < Minitest::Test
  def setup
    @before = [Streamer::Controller.heartbeat, Streamer::Controller.write_timeout, Streamer.drain_timeout]
  end

  def teardown
    Streamer::Controller.heartbeat, Streamer::Controller.write_timeout, Streamer.drain_timeout = @before
  end

  def test_each_setting_reaches_what_it_sets
    apply(heartbeat: :event, write_timeout: 20, drain_timeout: 5.5)

    assert_equal [:event, 20, 5.5], [Streamer::Controller.heartbeat, Streamer::Controller.write_timeout, Streamer.drain_timeout]
  end

  def test_what_is_not_set_keeps_its_default
    apply(heartbeat: nil)

    assert_equal [nil, *@before.drop(1)], [Streamer::Controller.heartbeat, Streamer::Controller.write_timeout, Streamer.drain_timeout]
  end

  def test_an_unknown_name_is_refused_with_the_nearest_known_one
    error = assert_raises(ArgumentError) { apply(hearbeat: 10) }

    assert_equal "there is no config.streamer.hearbeat; did you mean config.streamer.heartbeat? " \
                 "(known: heartbeat, rotate, write_timeout, drain_timeout)", error.message
  end

  def test_a_name_that_is_near_to_none_is_refused_with_all_that_are_known
    error = assert_raises(ArgumentError) { apply(colour: "red") }

    assert_equal "there is no config.streamer.colour (known: heartbeat, rotate, write_timeout, drain_timeout)", error.message
  end

  def test_a_bad_value_is_refused_with_what_to_write
    { heartbeat: ["15", -1, :events], write_timeout: [nil, 0, "30"], drain_timeout: ["25", -1] }.each do |name, values|
      values.each do |value|
        error = assert_raises(ArgumentError) { apply(name => value) }

        assert_match(/\Aconfig\.streamer\.#{name} is #{Regexp.escape(value.inspect)}; it takes a .*number of seconds/, error.message)
      end
    end
  end

  def test_nothing_is_set_where_something_is_wrong
    assert_raises(ArgumentError) { apply(heartbeat: 3, write_timeout: "x") }

    assert_equal @before.first, Streamer::Controller.heartbeat
  end

  private

  def apply(settings)
    options = ActiveSupport::OrderedOptions.new
    settings.each { |name, value| options[name] = value }
    Streamer::Configuration.apply(options)
  end
end
