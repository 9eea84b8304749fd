# frozen_string_literal: true

require "rails/generators/active_record"
require "rails/generators/named_base"

module Streamer
  module Generators
    # A model that is a Streamer::Generation, and all that belongs to it. `rails d streamer:generation NAME` takes it away.
    class GenerationGenerator < ::Rails::Generators::NamedBase # :nodoc:
      include ::ActiveRecord::Generators::Migration

      source_root File.expand_path("templates", __dir__)
      class_option :owner, type: :string, desc: "The model whose generations they are, such as user; its current_NAME is asked for in the controller"
      class_option :primary_key_type, type: :string, desc: "The type of the records' keys; the application's own by default"
      class_option :skip_routes, type: :boolean, default: false, desc: "Without the routes"

      STATUSES = %w[processing completed failed cancelled timed_out].freeze
      private_constant :STATUSES

      def create_model
        template "model.rb", File.join("app/models", class_path, "#{file_name}.rb")
        template "job.rb", File.join("app/jobs", class_path, "#{file_name}_job.rb")
        template "client.rb", File.join("app/clients", class_path, "#{file_name}_client.rb")
      end

      # Its records are asked for through the owner.
      def add_association
        return unless owner && File.exist?(File.join(destination_root, owner_file))

        inject_into_class owner_file, owner.camelize, "  has_many :#{association}, dependent: :destroy\n"
      end

      def create_migrations
        migration_template "create_generations.rb", "db/migrate/create_#{table_name}.rb"
        return if shared?(Dir[File.join(destination_root, "db/migrate/*_create_streamer_generation_tables.rb")])

        migration_template "create_tables.rb", "db/migrate/create_streamer_generation_tables.rb"
      end

      # Where nothing says yet where logs are kept.
      def create_initializer
        return if shared?(Dir[File.join(destination_root, "config/**/*.rb")].select { |file| File.read(file).match?(/^[^#]*streamer\.log\b/) })

        template "initializer.rb", "config/initializers/streamer_log.rb"
      end

      def create_controller
        template "controller.rb", File.join("app/controllers", class_path, "#{plural_name}_controller.rb")
      end

      def create_views
        %w[index show _form _failure].each { |name| template "#{name}.html.erb", view(name) }
        STATUSES.each { |status| template "_#{status}.html.erb", view("_#{status}") }
      end

      def add_routes
        return if options[:skip_routes]

        route "resources :#{plural_name}, only: %i[ index create show ] do\n  member do\n    get :events\n    post :stop\n  end\nend",
              namespace: regular_class_path
      end

      def create_test
        template "test.rb", File.join("test/integration", class_path, "#{plural_name}_test.rb")
      end

      private

      def view(name) = File.join("app/views", class_path, plural_name, "#{name}.html.erb")

      # Whether what all generations have in common is there already, or is still needed.
      def shared?(present)
        return present.any? if behavior == :invoke

        Dir[File.join(destination_root, "app/models/**/*.rb")].any? { |file| File.read(file).include?("include Streamer::Generation") }
      end

      def owner = options[:owner]&.underscore
      def owner_file = "app/models/#{owner}.rb"
      def association = class_path.empty? ? plural_name : "#{class_path.join("_")}_#{plural_name}, class_name: \"#{class_name}\""
      def scope = owner ? "current_#{owner}.#{[*class_path, plural_name].join("_")}" : class_name
      def controller_name = [*class_path, plural_name].map(&:camelize).join("::") + "Controller"
      def member_path(name = nil) = [name, *regular_class_path, singular_name, "path"].compact.join("_")
      def collection_path = [*regular_class_path, plural_name, "path"].join("_")
      def primary_key_option = key_type ? ", id: :#{key_type}" : ""
      def reference_type = key_type ? ", type: :#{key_type}" : ""

      def key_type
        options[:primary_key_type] || (::Rails.configuration.generators.options.dig(:active_record, :primary_key_type) if ::Rails.application)
      end
    end
  end
end
