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
      class_option :channel, type: :string, default: "sse", enum: %w[sse turbo cable],
                             desc: "How pages get the text: event streams, Turbo Streams over Action Cable, or a channel of Action Cable"
      class_option :skip_routes, type: :boolean, default: false, desc: "Without the routes"

      STATUSES = %w[processing completed failed cancelled timed_out].freeze
      private_constant :STATUSES

      def create_model
        template "model.rb", File.join("app/models", class_path, "#{file_name}.rb")
        template "job.rb", File.join("app/jobs", class_path, "#{file_name}_job.rb")
        template "client.rb", File.join("app/clients", class_path, "#{file_name}_client.rb")
      end

      def create_migrations
        migration_template "create_generations.rb", "db/migrate/create_#{table_name}.rb"
        return if behavior == :invoke && Dir[File.join(destination_root, "db/migrate/*_create_streamer_generation_tables.rb")].any?

        migration_template "create_tables.rb", "db/migrate/create_streamer_generation_tables.rb"
      end

      def create_controller
        template "controller.rb", File.join("app/controllers", class_path, "#{plural_name}_controller.rb")
      end

      def create_views
        %w[index show _form _failure].each { |name| template "#{name}.html.erb", view(name) }
        STATUSES.each { |status| template "_#{status}.html.erb", view("_#{status}") }
      end

      # What the page's element is; event streams need no more than `streamer:install` sets up.
      def add_javascript
        return if options[:channel] == "sse"

        script = "app/javascript/application.js"
        return say("streamer: import \"#{javascript}\" in the page's JavaScript.") unless File.exist?(File.join(destination_root, script))

        append_to_file script, "import \"#{javascript}\"\n"
        append_to_file "config/importmap.rb", "pin \"@rails/actioncable\", to: \"actioncable.esm.js\"\n" if cable? && importmap?
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

      def cable? = options[:channel] == "cable"
      def importmap? = File.exist?(File.join(destination_root, "config/importmap.rb"))
      def javascript = [importmap? ? "streamer" : "streamer-rails", cable? ? "cable" : "broadcasts"].join("/")
      def view_path = [*class_path, plural_name].join("/")

      def view(name) = File.join("app/views", class_path, plural_name, "#{name}.html.erb")

      def owner = options[:owner]&.underscore
      def scope = owner ? "current_#{owner}.#{plural_name}" : class_name
      def controller_name = [*class_path, plural_name].map(&:camelize).join("::") + "Controller"
      def member_path(name = nil) = [name, *regular_class_path, singular_name, "path"].compact.join("_")
      def collection_path = [*regular_class_path, plural_name, "path"].join("_")
      def primary_key_option = key_type ? ", id: :#{key_type}" : ""
      def reference_type = key_type ? ", type: :#{key_type}" : ""
      def key_type = (::Rails.configuration.generators.options.dig(:active_record, :primary_key_type) if ::Rails.application)
    end
  end
end
