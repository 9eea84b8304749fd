# frozen_string_literal: true

require "test_helper"
require "bundler"
require "fileutils"
require "json"
require "net/http"
require "open3"
require "support/ports"
require "support/upstream"
require "tmpdir"

# The gem as a user meets it: built, installed from its .gem (which compiles it), in the Gemfile of a new Rails app,
# and asked for a stream over HTTP.
class InstallTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  BOOT_SECONDS = 120

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
    @app = "#{@directory}/app"
    @upstream = Upstream.new { |exchange| exchange.openai(tokens: 3, every: 0.01) }
  end

  def teardown
    @upstream.stop
    FileUtils.remove_entry(@directory)
  end

  def test_the_gem_built_and_installed_streams_from_a_new_rails_app
    install_gem
    generate_app
    response = serve { |port| Net::HTTP.get_response("127.0.0.1", "/stream", port) }

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
    run_in ROOT, "gem", "build", "--strict", "--output", "#{@directory}/streamer.gem", "streamer.gemspec"
    run_in @directory, "gem", "install", "--local", "--no-document", "streamer.gem"
  end

  def generate_app
    run_in @directory, "rails", "new", "app", "--minimal", "--skip-active-record", "--skip-asset-pipeline",
           "--skip-git", "--skip-test", "--skip-bundle"
    # The app's tools for developing it (a debugger, linters) are not ours to install.
    generated = File.readlines("#{@app}/Gemfile").grep(/\A(source|gem "(rails|puma)")/)
    File.write("#{@app}/Gemfile", [*generated, %(gem "streamer"\n)].join)
    run_in @app, "bundle", "install", "--local"

    File.write("#{@app}/app/controllers/streams_controller.rb", CONTROLLER)
    File.write("#{@app}/config/routes.rb", %(Rails.application.routes.draw { get "stream", to: "streams#show" }\n))
  end

  # Yields the port of the app's Puma once it accepts connections, and ends it.
  def serve
    port = Ports.free
    log = "#{@directory}/server.log"
    pid = unbundled do
      spawn(environment.merge("UPSTREAM" => @upstream.url("/")), "bin/rails", "server", "-b", "127.0.0.1", "-p", port.to_s,
            chdir: @app, out: log, err: log)
    end
    wait_for(port) { flunk "the app did not start:\n#{File.read(log)}" }
    yield port
  ensure
    Process.kill(:TERM, pid)
    Process.wait(pid)
  end

  def wait_for(port)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + BOOT_SECONDS
    begin
      TCPSocket.open("127.0.0.1", port, &:close)
    rescue Errno::ECONNREFUSED
      yield if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.05
      retry
    end
  end

  def run_in(directory, *command)
    output, status = unbundled { Open3.capture2e(environment, *command, chdir: directory) }
    assert_predicate status, :success?, "#{command.join(" ")}\n#{output}"
  end

  # Gems installed by the app's owner go to a directory of their own; the rest comes from this checkout's bundle.
  def environment
    bundle = Bundler.bundle_path.to_s
    {
      "GEM_HOME" => @gems, "GEM_PATH" => [@gems, bundle].join(File::PATH_SEPARATOR),
      "PATH" => ["#{bundle}/bin", ENV.fetch("PATH")].join(File::PATH_SEPARATOR),
      "BUNDLE_APP_CONFIG" => "#{@directory}/.bundle", "BUNDLE_PATH" => nil, "BUNDLE_GEMFILE" => nil, "BUNDLE_FROZEN" => nil,
      "STREAMER_STRICT" => nil
    }
  end

  def unbundled(&block)
    Bundler.with_unbundled_env(&block)
  end

  def events_of(body)
    [].tap { |events| Streamer::Decoder.new.feed(body) { |event| events << event } }
  end
end
