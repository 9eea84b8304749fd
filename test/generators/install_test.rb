# frozen_string_literal: true

require "test_helper"
require "open3"
require "tmpdir"
require "support/generator_case"
require "generators/streamer/install/install_generator"

# rails g streamer:install and rails d streamer:install, on files as applications have them.
class InstallGeneratorTest < GeneratorCase
  tests Streamer::Generators::InstallGenerator

  DOCKERFILE = <<~DOCKER
    FROM docker.io/library/ruby:3.4-slim AS base

    # Set production environment variables
    ENV RAILS_ENV="production"

    FROM base AS build

    # Install application gems
    RUN bundle install

    FROM base

    # Start server via Thruster by default, this can be overwritten at runtime
    CMD ["./bin/thrust", "./bin/rails", "server"]
  DOCKER
  PUMA = "threads 3, 3\n\nplugin :tmp_restart\n\npidfile ENV[\"PIDFILE\"]\n"
  ROOT = File.expand_path("../..", __dir__)
  FILES = {
    "Dockerfile" => DOCKERFILE,
    "config/puma.rb" => PUMA,
    "config/importmap.rb" => "pin \"application\"\n",
    "app/javascript/controllers/application.js" => "export { application }\n"
  }.freeze
  CONTROLLER = "app/javascript/controllers/streamer_controller.js"

  def test_the_initializer_says_every_default_and_sets_none
    install

    assert_file "config/initializers/streamer.rb" do |text|
      assert_empty text.lines.grep_v(/\A#|\A\n/)
      assert_equal %w[heartbeat write_timeout drain_timeout], text.scan(/^# Rails\.application\.config\.streamer\.(\w+) = /).flatten
      assert_equal [15, 30, 25], text.scan(/= (\d+)$/).flatten.map(&:to_i)
    end
    assert_equal [15, 30, 25], [fresh("Streamer::Controller.heartbeat"), fresh("Streamer::Controller.write_timeout"),
                                fresh("Streamer::Relay::Registry.send(:drain_timeout)")]
  end

  def test_pumas_plugin_stands_behind_rails_own
    install

    assert_file "config/puma.rb", /plugin :tmp_restart\n\n# Tells the browsers.*\nplugin :streamer\n\npidfile/
  end

  def test_a_puma_configuration_of_another_shape_gets_it_at_its_end
    install "config/puma.rb" => "workers 2\n"

    assert_file "config/puma.rb", /\Aworkers 2\n\n# .*\nplugin :streamer\n\z/
  end

  def test_rails_own_dockerfile_gets_packages_to_build_and_to_run_and_no_limit_of_thrusters
    install

    assert_file "Dockerfile" do |text|
      base, build, run = text.split(/^FROM/).drop(1)
      assert_match(/-y libcurl4 libnghttp2-14 libyajl2 &&.*# Set production environment/m, base)
      assert_match(/-y libcurl4-openssl-dev libssl-dev libnghttp2-dev libyajl-dev &&.*# Install application gems/m, build)
      assert_match(/ENV HTTP_WRITE_TIMEOUT="0"\n\n# Start server via Thruster/, run)
    end
  end

  def test_a_dockerfile_without_thruster_gets_packages_alone
    install "Dockerfile" => DOCKERFILE.sub(/# Start.*/m, "CMD [\"./bin/rails\", \"server\"]\n")

    assert_file "Dockerfile", /libyajl-dev/
    assert_no_match(/HTTP_WRITE_TIMEOUT/, File.read(path("Dockerfile")))
  end

  def test_another_dockerfile_stays_and_the_packages_are_shown
    output = install("Dockerfile" => "FROM ruby:3.4\n")

    assert_file "Dockerfile", "FROM ruby:3.4\n"
    assert_match(/to build it:  libcurl4-openssl-dev libssl-dev libnghttp2-dev libyajl-dev\n.*to run it:    libcurl4 libnghttp2-14 libyajl2/, output)
  end

  def test_the_packages_have_these_names_on_debian
    named = [Streamer::Generators::Dockerfile::BUILD, Streamer::Generators::Dockerfile::RUN].flat_map(&:split)
    output, status = Open3.capture2e("apt-get", "install", "--simulate", *named)

    assert_predicate status, :success?, output
  end

  def test_with_importmap_the_stimulus_controller_is_the_gems
    install

    assert_file CONTROLLER, %r{^export \{ default \} from "streamer/stimulus"$}
    assert_no_file "app/javascript/controllers/index.js"
  end

  def test_with_a_package_manager_its_lock_file_tells_which
    { "yarn.lock" => "yarn add", "pnpm-lock.yaml" => "pnpm add", "bun.lock" => "bun add", "bun.lockb" => "bun add",
      "package-lock.json" => "npm install", nil => "npm install" }.each do |lock, command|
      prepare_destination
      files = { "package.json" => "{}", "app/javascript/controllers/index.js" => "// controllers\n", lock => "" }
      install({ **files.compact, "config/importmap.rb" => nil }.except(nil))

      added, package = @commands.first.split(/ (?=\S+\z)/)
      assert_equal command, added, lock
      assert_equal ROOT, File.expand_path(package.delete_prefix("file:"), File.realpath(destination_root))
      assert_file CONTROLLER, %r{from "streamer-rails/stimulus"}
      assert_file "app/javascript/controllers/index.js", %r{import StreamerController from "./streamer_controller"\napplication.register\("streamer"}
    end
  end

  def test_a_gem_that_is_no_checkout_asks_for_the_package_of_its_version
    write_all(FILES.merge("config/importmap.rb" => nil, "package.json" => "{}"))
    Dir.mktmpdir do |copy|
      FileUtils.cp_r("#{ROOT}/lib", copy)
      script = "require 'rails/generators'; require 'generators/streamer/install/install_generator'; " \
               "Streamer::Generators::InstallGenerator.start([], destination_root: ARGV.first)"
      recorded { system(RbConfig.ruby, "-rbundler/setup", "-I", "#{copy}/lib", "-e", script, destination_root, out: File::NULL) }
    end

    assert_equal ["npm install streamer-rails@#{Streamer::VERSION}"], @commands
  end

  def test_without_stimulus_it_says_what_to_import
    output = install("app/javascript/controllers/application.js" => nil)

    assert_no_file CONTROLLER
    assert_match(%r{register the controller of streamer/stimulus; without it, import \{ EventStream \} from "streamer"}, output)
  end

  def test_api_and_skip_javascript_leave_the_browser_out
    %w[--api --skip-javascript].each do |option|
      prepare_destination
      install({}, option)

      assert_no_file CONTROLLER
      assert_file "config/initializers/streamer.rb"
    end
  end

  def test_rspec_gets_its_matchers
    install "spec/rails_helper.rb" => "require 'spec_helper'\nrequire 'rspec/rails'\n# more\n"

    assert_file "spec/rails_helper.rb", "require 'spec_helper'\nrequire 'rspec/rails'\nrequire \"streamer/rspec\"\n# more\n"
  end

  def test_a_second_time_changes_nothing
    install
    before = tree
    install(nil)

    assert_equal before, tree
  end

  def test_what_the_application_has_changed_in_the_initializer_stays
    install "config/initializers/streamer.rb" => "# ours\n"

    assert_file "config/initializers/streamer.rb", "# ours\n"
  end

  def test_pretend_writes_nothing_and_runs_nothing
    write_all(FILES.merge("config/importmap.rb" => nil, "package.json" => "{}"))
    before = tree
    output = recorded { run_generator(["--pretend"]) }

    assert_equal before, tree
    assert_empty @commands
    assert_match(%r{create  config/initializers/streamer.rb.*run  npm install file:}m, output)
  end

  def test_destroy_takes_away_what_it_has_made
    write_all(FILES.merge("spec/rails_helper.rb" => "require \"rspec/rails\"\n"))
    before = tree
    install(nil)
    refute_equal before, tree
    run_generator([], behavior: :revoke)

    assert_equal before, tree
  end

  def test_destroy_removes_the_package
    write_all(FILES.merge("config/importmap.rb" => nil, "package.json" => "{}", "yarn.lock" => "",
                          "app/javascript/controllers/index.js" => "// controllers\n"))
    before = tree
    install(nil)

    recorded { run_generator([], behavior: :revoke) }

    assert_equal ["yarn remove streamer-rails"], @commands
    assert_equal before, tree
  end

  private

  # files: path => text, over FILES; nil leaves one out. Returns what it prints.
  def install(files = {}, *arguments)
    write_all(FILES.merge(files)) if files
    recorded { run_generator(arguments) }
  end

  def write_all(files) = files.compact.each { |name, text| write(name, text) }

  # Package managers that note what they are asked for.
  def recorded
    Dir.mktmpdir do |directory|
      %w[npm yarn pnpm bun].each do |name|
        File.write("#{directory}/#{name}", "#!/bin/sh\necho #{name} \"$@\" >>#{directory}/log\n", perm: 0o755)
      end
      before = ENV.fetch("PATH")
      ENV["PATH"] = "#{directory}:#{before}"
      @commands = nil
      yield.tap { @commands = File.exist?("#{directory}/log") ? File.readlines("#{directory}/log", chomp: true) : [] }
    ensure
      ENV["PATH"] = before
    end
  end

  # What the library says by itself, in a process without this test's application.
  def fresh(expression)
    lib = File.expand_path("../../lib", __dir__)
    Integer(IO.popen([RbConfig.ruby, "-I", lib, "-rbundler/setup", "-rstreamer", "-e", "print(#{expression})"], &:read))
  end
end
