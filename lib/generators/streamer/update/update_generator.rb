# frozen_string_literal: true

require "generators/streamer/install/install_generator"

module Streamer
  module Generators
    # streamer:install once more, for an application that an older version has set up: its initializer keeps what it says, and gets the
    # settings that it does not name.
    class UpdateGenerator < InstallGenerator # :nodoc:
      source_root InstallGenerator.source_root

      def add_settings
        initializer = "config/initializers/streamer.rb"
        return unless behavior == :invoke && exists?(initializer)

        known = read(initializer)
        settings.each do |paragraph|
          append_to_file initializer, "\n#{paragraph}" unless known.include?(paragraph[/config\.streamer\.\w+/])
        end
      end

      private

      # The template's paragraphs, one for each setting.
      def settings
        File.read(find_in_source_paths("initializer.rb")).split(/\n\n+/).grep(/config\.streamer\./).map { |text| "#{text.chomp}\n" }
      end
    end
  end
end
