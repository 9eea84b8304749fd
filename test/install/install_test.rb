# frozen_string_literal: true

require "test_helper"
require "fileutils"
require "net/http"
require "support/fresh_app"
require "support/upstream"
require "tmpdir"

# The gem as a user meets it: built, installed from its .gem (which compiles it), in the Gemfile of a new Rails app,
# and asked for a stream over HTTP.
class InstallTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  CONTROLLER = <<~RUBY
    class StreamsController < ApplicationController
      include Streamer::Controller

      def show
        stream_events do |events|
          events.write({ from: Gem.loaded_specs["streamer"].full_gem_path }, event: "installed")
          events.write({ step: 1 }, event: "progress", id: "one")
          events.relay Streamer.get(ENV.fetch("UPSTREAM")), value: "choices.0.delta.content", event: "token"
        end
      end
    end
  RUBY

  def setup
    @directory = File.realpath(Dir.mktmpdir("streamer-install"))
    @gems = "#{@directory}/gems"
    @upstream = Upstream.new { |exchange| exchange.openai(tokens: 3, every: 0.01) }
    @app = FreshApp.new("--minimal", "--skip-active-record", "--skip-asset-pipeline", "--skip-test", gems: @gems)
  end

  def teardown
    @upstream.stop
    @app&.remove
    FileUtils.remove_entry(@directory)
  end

  def test_the_gem_built_and_installed_streams_from_a_new_rails_app
    install_gem
    add_action
    response = @app.serve("UPSTREAM" => @upstream.url("/")) { |base| Net::HTTP.get_response(URI("#{base}/stream")) }

    assert_equal "200", response.code, response.body
    assert_equal "text/event-stream", response["content-type"][/[^;]+/]

    installed, progress, *tokens = events_of(response.body)
    assert_equal "installed", installed.type
    assert_equal "#{@gems}/gems/streamer-#{Streamer::VERSION}", installed.json["from"]
    assert_equal ["progress", "one", { "step" => 1 }], [progress.type, progress.id, progress.json]
    assert_equal ["token"], tokens.map(&:type).uniq
    assert_equal 3, tokens.size
  end

  private

  def install_gem
    @app.run("gem build --strict --output #{@directory}/streamer.gem streamer.gemspec", chdir: ROOT)
    @app.run("gem install --local --no-document streamer.gem", chdir: @directory)
    @app.add("streamer")
  end

  def add_action
    @app.write("app/controllers/streams_controller.rb", CONTROLLER)
    @app.write("config/routes.rb", %(Rails.application.routes.draw { get "stream", to: "streams#show" }\n))
  end

  def events_of(body)
    [].tap { |events| Streamer::Decoder.new.feed(body) { |event| events << event } }
  end
end
