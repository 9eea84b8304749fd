# frozen_string_literal: true

require "bundler"
require "fileutils"
require "net/http"
require "open3"
require "rails/version"
require "tmpdir"
require_relative "ports"

# A Rails application as `rails new` makes it, of this leg's Rails, in a directory of its own and with the gems of this checkout's bundle: what
# a new application has for its developers alone (debugger, linters, deployment) is left out, since nobody here installs it.
#
#   app = FreshApp.new("--api")
#   app.run("bin/rails generate streamer:install")  # what it prints; raises FreshApp::Failed
#   app.read("config/routes.rb"); app.write("config/routes.rb", text)
#   app.serve("OPENAI_BASE_URL" => url) { |base| ... }
#   app.remove
class FreshApp
  Failed = Class.new(StandardError)

  ROOT = File.expand_path("../..", __dir__)
  BOOT_SECONDS = 120

  # What `rails new` makes when nobody says otherwise, but for what needs gems that only developing or deploying it does.
  LEFT_OUT = %w[--skip-bundle --skip-git --skip-bootsnap --skip-jbuilder --skip-system-test --skip-active-storage --skip-action-cable
                --skip-action-mailbox --skip-action-text --skip-action-mailer --skip-ci --skip-rubocop --skip-brakeman --skip-dev-gems].freeze
  LEFT_OUT_OF_RAILS_8 = %w[--skip-kamal --skip-solid --skip-thruster --skip-bundler-audit].freeze
  GEMS = %w[rails puma sqlite3 propshaft sprockets-rails importmap-rails turbo-rails stimulus-rails].freeze

  attr_reader :path

  # gems: a directory for gems that the application's owner installs, beside those of the bundle.
  def initialize(*options, gems: nil)
    @gems = gems
    @directory = File.realpath(Dir.mktmpdir("streamer-app"))
    @path = "#{@directory}/chat"
    @variables = {}
    left_out = [*LEFT_OUT, *(LEFT_OUT_OF_RAILS_8 if Rails::VERSION::MAJOR >= 8)]
    run("rails new chat #{[*options, *left_out].join(" ")}", chdir: @directory)
    write("Gemfile", read("Gemfile").lines.grep(/\A(source|gem "(#{GEMS.join("|")})")/).join)
    install
    run("bin/rails importmap:install turbo:install stimulus:install") if exist?("app/javascript") || read("Gemfile").include?("importmap")
  rescue StandardError
    remove
    raise
  end

  # `bundle add streamer`, from this checkout unless it is among the owner's gems.
  def add(*gems)
    from = ->(name) { ", path: #{ROOT.dump}" if name == "streamer" && @gems.nil? }
    write("Gemfile", read("Gemfile") + gems.map { |name| %(gem "#{name}"#{from[name]}\n) }.join)
    install
  end

  def run(command, chdir: path)
    output, status = unbundled { Open3.capture2e(environment, command, chdir: chdir) }
    raise Failed, "#{command}\n#{output}" unless status.success?

    output
  end

  def read(name) = File.read("#{path}/#{name}")
  def exist?(name) = File.exist?("#{path}/#{name}")

  def write(name, text)
    FileUtils.mkdir_p(File.dirname("#{path}/#{name}"))
    File.write("#{path}/#{name}", text)
  end

  # Every file that is the application's, path => text.
  def tree
    Dir.glob("**/*", File::FNM_DOTMATCH, base: path).grep_v(%r{\A(?:tmp|log|storage|db)/})
       .select { |name| File.file?("#{path}/#{name}") }.to_h { |name| [name, read(name)] }
  end

  # Yields the base URL of `bin/rails server`, and ends it.
  def serve(variables = {})
    port = Ports.free
    log = "#{@directory}/server.log"
    pid = unbundled do
      spawn(environment.merge(variables), "bin/rails", "server", "-b", "127.0.0.1", "-p", port.to_s, chdir: path, out: log, err: log)
    end
    wait_for(port, pid, log)
    yield "http://127.0.0.1:#{port}"
  ensure
    if pid
      Process.kill(:TERM, pid)
      kill(pid) unless end_of(pid)
    end
  end

  def remove = FileUtils.remove_entry(@directory, true)

  private

  def install = run("bundle install --local")

  # Within 30 s: Puma 8.0 may wait for ever for the pipe that it is told to stop by (puma#3677).
  def end_of(pid)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
    sleep 0.05 until (ended = Process.wait(pid, Process::WNOHANG)) || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    ended
  end

  def kill(pid)
    Process.kill(:KILL, pid)
    Process.wait(pid)
  end

  def environment
    bundle = Bundler.bundle_path.to_s
    {
      "GEM_HOME" => @gems || bundle, "GEM_PATH" => [@gems, bundle].compact.join(File::PATH_SEPARATOR),
      "PATH" => ["#{bundle}/bin", ENV.fetch("PATH")].join(File::PATH_SEPARATOR),
      "BUNDLE_APP_CONFIG" => "#{@directory}/.bundle", "BUNDLE_PATH" => nil, "BUNDLE_GEMFILE" => nil, "BUNDLE_FROZEN" => nil,
      "STREAMER_STRICT" => nil, "RAILS_ENV" => nil
    }
  end

  def unbundled(&block) = Bundler.with_unbundled_env(&block)

  def wait_for(port, pid, log)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + BOOT_SECONDS
    begin
      TCPSocket.open("127.0.0.1", port, &:close)
    rescue Errno::ECONNREFUSED
      if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline || Process.wait(pid, Process::WNOHANG)
        raise Failed, "the application did not start:\n#{File.read(log)}"
      end

      sleep 0.05
      retry
    end
  end
end
