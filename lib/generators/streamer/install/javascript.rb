# frozen_string_literal: true

require "pathname"
require "streamer/version"

module Streamer
  module Generators
    # The browser's side, by what the application has: importmap-rails, which finds the gem's own pins, or a package manager of Node.js.
    module JavaScript # :nodoc:
      PACKAGE = "streamer-rails"

      # Lock file => [add, remove]
      PACKAGE_MANAGERS = {
        "yarn.lock" => ["yarn add", "yarn remove"],
        "pnpm-lock.yaml" => ["pnpm add", "pnpm remove"],
        "bun.lock" => ["bun add", "bun remove"],
        "bun.lockb" => ["bun add", "bun remove"],
        "package-lock.json" => ["npm install", "npm uninstall"]
      }.freeze
      NPM = PACKAGE_MANAGERS.fetch("package-lock.json")
      GEM_ROOT = File.expand_path("../../../..", __dir__)
      private_constant :PACKAGE, :PACKAGE_MANAGERS, :NPM, :GEM_ROOT

      private

      def install_javascript
        if exists?("config/importmap.rb") then add_stimulus_controller("streamer/stimulus")
        elsif exists?("package.json")
          change_package
          add_stimulus_controller("#{PACKAGE}/stimulus")
        else
          tell_of_javascript
        end
      end

      # npm where there is no lock file.
      def change_package
        add, remove = PACKAGE_MANAGERS.find { |lock, _| exists?(lock) }&.last || NPM
        run_anyway(behavior == :invoke ? "#{add} #{package}" : "#{remove} #{PACKAGE}")
      end

      # The package of the gem's version; a gem that is a checkout has it beside it.
      def package
        return "#{PACKAGE}@#{VERSION}" unless File.exist?("#{GEM_ROOT}/package.json")

        "file:#{Pathname(GEM_ROOT).relative_path_from(File.realpath(destination_root))}"
      end

      # Thor's `run` does nothing when a generator is undone.
      def run_anyway(command)
        say_status :run, command
        return if options[:pretend]

        system(command, chdir: destination_root) or say_status(:error, "#{command} has failed: run it yourself", :red)
      end

      # By its name the file is the controller `streamer`, as those of the application are theirs.
      def add_stimulus_controller(specifier)
        return tell_of_stimulus(specifier) unless exists?("app/javascript/controllers/application.js")

        @specifier = specifier
        template "streamer_controller.js", "app/javascript/controllers/streamer_controller.js", skip: true
        update_manifest unless exists?("config/importmap.rb")
      end

      # Where no importmap loads the controllers, an index names them.
      def update_manifest
        index = "app/javascript/controllers/index.js"
        return unless exists?(index)

        append_to_file index, <<~JS

          import StreamerController from "./streamer_controller"
          application.register("streamer", StreamerController)
        JS
      end

      def tell_of_stimulus(specifier)
        return unless behavior == :invoke

        say "streamer: there is no app/javascript/controllers/application.js. With Stimulus, register the controller of #{specifier}; " \
            "without it, import { EventStream } from \"#{specifier.delete_suffix("/stimulus")}\"."
      end

      def tell_of_javascript
        say "streamer: there is neither config/importmap.rb nor package.json, so no JavaScript is set up." if behavior == :invoke
      end
    end
  end
end
