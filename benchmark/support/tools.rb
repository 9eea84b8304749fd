# frozen_string_literal: true

require "fileutils"

module Bench
  # Programs that are built when they are first needed, in tmp/bench.
  module Tools
    ROOT = File.expand_path("../..", __dir__)
    OUT = File.join(ROOT, "tmp/bench")
    SOURCES = File.join(ROOT, "benchmark/tools")

    class << self
      # Path of benchmark/tools/NAME.c's program.
      def c(name)
        source = File.join(SOURCES, "#{name}.c")
        build(name, [source, *Dir[File.join(SOURCES, "*.h")]]) do |out|
          ["cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", out, source]
        end
      end

      # Path of the Go relay, nil where there is no Go.
      def go(source)
        return unless available?("go")

        build("relay-go", [source]) { |out| ["go", "build", "-o", out, source] }
      end

      # Path of benchmark/core.c's program.
      def core
        run("make", "--silent", "-C", File.join(ROOT, "ext/streamer/core"), "bench")
        File.join(ROOT, "benchmark/core")
      end

      def available?(name) = ENV["PATH"].split(":").any? { |directory| File.executable?(File.join(directory, name)) }

      private

      def build(name, sources)
        out = File.join(OUT, name)
        return out if FileUtils.uptodate?(out, sources)

        FileUtils.mkdir_p(OUT)
        run(*yield(out))
        out
      end

      def run(*command)
        system(*command, exception: true)
      end
    end
  end
end
