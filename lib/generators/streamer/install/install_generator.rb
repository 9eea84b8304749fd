# frozen_string_literal: true

require "rails/generators/base"
require_relative "dockerfile"
require_relative "javascript"

module Streamer
  module Generators
    # What an application needs beside the gem. Can be run again at any time; `rails d streamer:install` takes it away.
    class InstallGenerator < ::Rails::Generators::Base # :nodoc:
      include Dockerfile
      include JavaScript

      source_root File.expand_path("templates", __dir__)
      class_option :api, type: :boolean, desc: "Without JavaScript, as in an API-only application"
      class_option :skip_javascript, type: :boolean, default: false, desc: "Without JavaScript"

      PUMA_PLUGIN = <<~RUBY

        # Tells the browsers of open streams when Puma begins to stop
        plugin :streamer
      RUBY
      private_constant :PUMA_PLUGIN

      def create_initializer
        template "initializer.rb", "config/initializers/streamer.rb", skip: true
      end

      def add_puma_plugin
        return unless exists?("config/puma.rb")
        return if behavior == :invoke && read("config/puma.rb").match?(/^\s*plugin[ (]+:streamer/)

        anchor = read("config/puma.rb")[/^plugin :tmp_restart\n/]
        anchor ? inject_into_file("config/puma.rb", PUMA_PLUGIN, after: anchor) : append_to_file("config/puma.rb", PUMA_PLUGIN)
      end

      def add_system_packages
        add_dockerfile_lines
      end

      def add_javascript
        install_javascript unless options[:skip_javascript] || api?
      end

      def add_rspec
        helper = "spec/rails_helper.rb"
        return unless exists?(helper) && read(helper).match?(%r{^require ["']rspec/rails["']\n})

        inject_into_file helper, "require \"streamer/rspec\"\n", after: %r{^require ["']rspec/rails["']\n}
      end

      private

      def api? = options[:api].nil? ? ::Rails.application&.config&.api_only : options[:api]
      def exists?(path) = File.exist?(File.join(destination_root, path))
      def read(path) = File.read(File.join(destination_root, path))
    end
  end
end
