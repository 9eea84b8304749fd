# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "tmpdir"

# The engine in applications of their own, each in a process of its own.
class EngineTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  def test_the_initializers_have_names
    assert_equal "streamer.helpers streamer.generation_channel streamer.assets streamer.importmap",
                 boot("puts Streamer::Engine.initializers.map(&:name).grep(/streamer/).join(' ')").strip
  end

  def test_every_view_has_the_helpers
    script = "view = ActionController::Base.new.view_context; " \
             "puts view.respond_to?(:streamer_source), view.respond_to?(:streamer_turbo_source)"

    assert_equal "true\ntrue\n", boot(script)
  end

  def test_the_importmap_has_the_module_and_its_stimulus_controller
    script = 'puts Rails.application.importmap.packages.values_at("streamer", "streamer/stimulus", "streamer-rails").map(&:path)'

    assert_equal "streamer.js\nstreamer/stimulus.js\nstreamer.js\n", boot(script, libraries: %w[importmap-rails])
  end

  def test_sprockets_is_told_of_the_assets
    stand_in = "module Assets; class Railtie < Rails::Railtie; config.assets = ActiveSupport::OrderedOptions.new; " \
               "config.assets.paths = []; config.assets.precompile = []; end; end"

    assert_equal %w[streamer.js streamer/stimulus.js streamer/passages.js streamer/broadcasts.js streamer/cable.js],
                 boot("puts Rails.application.config.assets.precompile", stand_in).lines(chomp: true)
  end

  def test_without_importmap_and_assets_it_boots_all_the_same
    assert_equal "false false\n", boot("puts [:importmap, :assets].map { |name| Rails.application.config.respond_to?(name) }.join(' ')")
  end

  def test_the_deprecator_is_the_applications
    assert_equal "true\n", boot("puts Rails.application.deprecators[:streamer].equal?(Streamer.deprecator)")
  end

  def test_what_an_initializer_of_the_application_says_counts
    output = boot("puts Streamer::Controller.heartbeat.inspect", initializer: "Rails.application.config.streamer.heartbeat = :event")

    assert_equal ":event\n", output
  end

  def test_an_unknown_setting_ends_the_boot_with_its_name
    output, status = run_app("puts 'booted'", initializer: "Rails.application.config.streamer.write_timout = 3")

    refute_predicate status, :success?
    assert_includes output, "there is no config.streamer.write_timout; did you mean config.streamer.write_timeout?"
  end

  def test_an_application_without_action_pack_boots
    output, status = run_app("puts Rails.application.initialized?", framework: "active_support/railtie")

    assert_predicate status, :success?, output
    assert_equal "true\n", output
  end

  def test_nothing_of_rails_is_patched
    output = boot(<<~RUBY)
      types = [ActionController::Base, ActionController::API, ActionDispatch::Request, ActionDispatch::Response,
               ActionController::MimeResponds::Collector, Mime::Type]
      methods = types.flat_map { |type| (type.instance_methods + type.private_instance_methods).map { |name| type.instance_method(name) } }
      puts methods.size > 1000, methods.select { |method| method.source_location&.first&.start_with?("#{ROOT}/lib/") }
    RUBY

    assert_equal "true\n", output
  end

  private

  def boot(script, *more, **options)
    output, status = run_app(script, *more, **options)
    assert_predicate status, :success?, output
    output
  end

  # libraries: as the Gemfile has them, before this gem.
  def run_app(script, before = "", libraries: [], framework: "action_controller/railtie", initializer: nil)
    Dir.mktmpdir do |root|
      Dir.mkdir(File.join(root, "config"))
      Dir.mkdir(File.join(root, "config/initializers"))
      File.write(File.join(root, "config/initializers/streamer.rb"), initializer.to_s)
      command = [RbConfig.ruby, "-W0", "-I#{File.join(ROOT, "lib")}", "-rbundler/setup", "-e"]
      Open3.capture2e({ "RAILS_ENV" => "test" }, *command, <<~RUBY, chdir: ROOT)
        require "rails"
        require #{framework.dump}
        #{libraries.map { |name| "require #{name.dump}" }.join("\n")}
        #{before}
        require "streamer"
        class App < Rails::Application
          config.root = #{root.dump}
          config.load_defaults Rails::VERSION::STRING.to_f
          config.eager_load = false
          config.logger = Logger.new(nil)
          config.secret_key_base = "only for tests"
        end
        App.initialize!
        #{script}
      RUBY
    end
  end
end
