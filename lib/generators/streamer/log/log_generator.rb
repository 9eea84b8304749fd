# frozen_string_literal: true

require "rails/generators/active_record/migration"

module Streamer
  module Generators
    # The tables of Streamer::Stores::ActiveRecord. `rails d streamer:log` takes the migration away.
    class LogGenerator < ::Rails::Generators::Base # :nodoc:
      include ::ActiveRecord::Generators::Migration

      source_root File.expand_path("templates", __dir__)
      class_option :database, type: :string, aliases: %w[--db],
                              desc: "The entry of config/database.yml that the logs are kept in; the application's own by default"
      class_option :primary_key_type, type: :string, desc: "The type of the logs' keys; the application's own by default"

      def create_migration_file
        migration_template "create_streamer_logs.rb", File.join(migrations, "create_streamer_logs.rb")
      end

      def show_configuration
        return unless database && behavior == :invoke && !configured?

        say "\nAdd the database to each environment in config/database.yml, here for SQLite:\n\n#{entry}\n" \
            "and tell where the logs are, in config/initializers/streamer.rb:\n\n  " \
            "Rails.application.config.streamer.log = { connects_to: { database: { writing: :#{database} } } }\n\n" \
            "then run bin/rails db:prepare\n"
      end

      private

      def database = options[:database]

      # Active Record knows the paths of the databases that are configured.
      def migrations
        return "db/migrate" unless database
        return "db/#{database}_migrate" unless configured?

        configuration.migrations_paths.then { |paths| Array(paths).first } || "db/migrate"
      end

      def configured? = !configuration.nil?

      def configuration
        ::ActiveRecord::Base.configurations.configs_for(env_name: ::Rails.env, name: database)
      end

      def entry
        <<~YAML.gsub(/^/, "  ")
          production:
            primary:
              # as it is
            #{database}:
              adapter: sqlite3
              database: storage/production_#{database}.sqlite3
              pool: 5
              timeout: 5000
              migrations_paths: #{migrations}
        YAML
      end

      def key_type
        options[:primary_key_type] || (::Rails.configuration.generators.options.dig(:active_record, :primary_key_type) if ::Rails.application)
      end

      def id_option = key_type ? ", id: :#{key_type}" : ""

      def reference_type = key_type || "bigint"
    end
  end
end
