# frozen_string_literal: true

require "rails/generators/named_base"

module Streamer
  module Generators
    # A page that asks a language model and shows its answer token by token, with all that belongs to it. `rails d streamer:stream NAME` takes
    # it away.
    class StreamGenerator < ::Rails::Generators::NamedBase # :nodoc:
      source_root File.expand_path("templates", __dir__)
      class_option :api, type: :boolean, desc: "Without the page, as in an API-only application"
      class_option :skip_javascript, type: :boolean, default: false, desc: "Without the page"
      class_option :skip_routes, type: :boolean, default: false, desc: "Without the route"

      def create_client
        template "client.rb", File.join("app/clients", class_path, "#{singular_name}_client.rb")
      end

      def create_controller
        template "controller.rb", File.join("app/controllers", class_path, "#{plural_name}_controller.rb")
      end

      def create_view
        template "show.html.erb", File.join("app/views", class_path, plural_name, "show.html.erb") if page?
      end

      def add_route
        return if options[:skip_routes]

        actions = page? ? "%i[ show create ]" : ":create"
        route "resource :#{singular_name}, only: #{actions}", namespace: regular_class_path
      end

      def create_test
        if rspec?
          template "spec.rb", File.join("spec/requests", class_path, "#{plural_name}_spec.rb")
        else
          template "test.rb", File.join("test/controllers", class_path, "#{plural_name}_controller_test.rb")
        end
      end

      private

      def page? = !options[:skip_javascript] && !api?
      def api? = options[:api].nil? ? ::Rails.application&.config&.api_only : options[:api]
      def rspec? = File.exist?(File.join(destination_root, "spec/rails_helper.rb"))

      def singular_name = file_name.singularize

      def controller_name = [*class_path, plural_name].map(&:camelize).join("::") + "Controller"
      def client_name = [*class_path, singular_name].map(&:camelize).join("::") + "Client"
      def path_helper = [*regular_class_path, singular_name, "path"].join("_")
    end
  end
end
