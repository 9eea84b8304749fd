# frozen_string_literal: true

require "test_helper"
require "support/app_server"
require "tmpdir"

# An application in development whose files are edited while streams are open.
module ReloadingTests
  CONTROLLER = <<~RUBY
    class GreetingsController < ActionController::Base
      include Streamer::Controller

      def show = render(plain: Greeting::TEXT)

      def stream
        stream_events do |events|
          events.write(Greeting::TEXT)
          sleep 0.01 until File.exist?(Rails.root.join("go"))
          events.write(Greeting::TEXT)
        end
      end
    end
  RUBY

  def setup
    @root = Dir.mktmpdir("streamer-reloading")
    FileUtils.mkdir_p([File.join(@root, "app/controllers"), File.join(@root, "app/models")])
    write("app/controllers/greetings_controller.rb", CONTROLLER)
    edit("first")
    @server = AppServer.new(self.class::KIND, app: File.expand_path("../support/reloading_app.ru", __dir__),
                                              variables: { "RAILS_ENV" => "development", "APP_ROOT" => @root })
  end

  def teardown
    go
    @server&.stop
    FileUtils.remove_entry(@root)
  end

  def test_edited_code_is_loaded_while_a_stream_is_open_and_the_stream_goes_on # rows 23 and 24
    client = @server.stream("/greetings/stream")

    assert_equal "first", client.next_event.data
    edit("second")
    assert_equal "second", greeting
    edit("third")
    assert_equal "third", greeting
    go
    assert_equal ["third"], client.events.map(&:data)
    assert_predicate client, :clean?
  end

  def test_a_stream_whose_own_request_loaded_edited_code_does_not_hold_up_others
    edit("second")
    client = @server.stream("/greetings/stream")

    assert_equal "second", client.next_event.data
    assert_equal "second", greeting
    edit("third")
    assert_equal "third", greeting
    go
    assert_equal ["third"], client.events.map(&:data)
    assert_equal "third", greeting
  end

  private

  def greeting = @server.get("/greetings/show").body

  def edit(text) = write("app/models/greeting.rb", "module Greeting\n  TEXT = #{text.dump}\nend\n")

  # Each file later than the one before, and none in the future: Rails tells edits by that.
  def write(path, text)
    File.write(File.join(@root, path), text)
    @written = (@written || (Time.now - 100)) + 10
    File.utime(@written, @written, File.join(@root, path))
  end

  def go = FileUtils.touch(File.join(@root, "go"))
end

class PumaReloadingTest < Minitest::Test
  KIND = :puma
  include ReloadingTests
end

class FalconReloadingTest < Minitest::Test
  KIND = :falcon
  include ReloadingTests
end
