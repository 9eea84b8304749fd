# frozen_string_literal: true

require "date"
require "etc"
require "openssl"

module Bench
  # What a result depends on besides the code: [[name, value], ...].
  module Environment
    ROOT = File.expand_path("../..", __dir__)
    GEMS = %w[rails puma falcon async async-http rack event_stream_parser ld-eventsource json oj yajl-ruby
              faraday ruby-openai ruby_llm sqlite3 pg redis-client solid_cable].freeze

    class << self
      # Above a few tenths before a measurement: something else was running.
      def load = File.read("/proc/loadavg").split.first

      def rows
        [["date", Date.today.iso8601], ["revision", revision], ["processor", "#{processor}, #{Etc.nprocessors} cores"],
         ["kernel", Etc.uname.values_at(:sysname, :release).join(" ")],
         ["ruby", RUBY_DESCRIPTION], ["libcurl", library("libcurl")], ["nghttp2", library("libnghttp2")],
         ["openssl", "#{library("openssl")}; Ruby's #{OpenSSL::OPENSSL_LIBRARY_VERSION}"], ["yajl", library("yajl")],
         ["compiler", first_line("cc", "--version")],
         ["nginx", first_line("nginx", "-v")], ["go", first_line("go", "version")],
         ["databases", [first_line("psql", "--version"), first_line("redis-check-rdb", "--version")].join(", ")], ["gems", gems]]
      end

      private

      def revision
        changed = first_line("git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no")
        "#{first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD")}#{" with changes" unless changed == MISSING}"
      end

      def processor = File.foreach("/proc/cpuinfo").filter_map { |line| line[/^model name\s*: (.+)/, 1] }.first || "unknown"

      def library(name) = first_line("pkg-config", "--modversion", name)

      def gems
        GEMS.filter_map { |name| Gem.loaded_specs[name] || Gem::Specification.find_all_by_name(name).first }
            .map { |spec| "#{spec.name} #{spec.version}" }.join(", ")
      end

      MISSING = "–"

      def first_line(*command)
        IO.popen(command, err: %i[child out], &:gets)&.strip || MISSING
      rescue Errno::ENOENT
        MISSING
      end
    end
  end
end
