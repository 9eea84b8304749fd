# frozen_string_literal: true

module Streamer
  module Generators
    # The lines of a Dockerfile that the gem's C extension needs: written where the Dockerfile is Rails' own, shown otherwise.
    module Dockerfile # :nodoc:
      # Names that Debian 12 and 13 have.
      BUILD = "libcurl4-openssl-dev libssl-dev libnghttp2-dev libyajl-dev"
      RUN = "libcurl4 libnghttp2-14 libyajl2"

      # Rails' own headings, and what goes in front of each.
      INSTALL = <<~TEXT
        # Install %s
        RUN apt-get update -qq && \\
            apt-get install --no-install-recommends -y %s && \\
            rm -rf /var/lib/apt/lists /var/cache/apt/archives

      TEXT
      LINES = {
        /^# Set production environment/ => format(INSTALL, "the libraries of streamer", RUN).freeze,
        /^# Install application gems/ => format(INSTALL, "what streamer is built with", BUILD).freeze
      }.freeze
      THRUSTER = /^# Start server via Thruster/
      THRUSTER_LINES = <<~TEXT
        # Thruster would cut each stream after 30 seconds
        ENV HTTP_WRITE_TIMEOUT="0"

      TEXT
      private_constant :INSTALL, :LINES, :THRUSTER, :THRUSTER_LINES

      private

      def add_dockerfile_lines
        return tell_of_packages unless exists?("Dockerfile") && LINES.keys.all? { |heading| read("Dockerfile").match?(heading) }

        LINES.each { |heading, lines| inject_into_file "Dockerfile", lines, before: heading }
        return unless read("Dockerfile").match?(THRUSTER)
        return if behavior == :invoke && read("Dockerfile").include?("HTTP_WRITE_TIMEOUT")

        inject_into_file "Dockerfile", THRUSTER_LINES, before: THRUSTER
      end

      def tell_of_packages
        return unless behavior == :invoke

        say <<~TEXT

          streamer has a C extension. Where the application is deployed on Debian or Ubuntu, it needs these packages
            to build it:  #{BUILD}
            to run it:    #{RUN}

        TEXT
      end
    end
  end
end
