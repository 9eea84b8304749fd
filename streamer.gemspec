# frozen_string_literal: true

require_relative "lib/streamer/version"

Gem::Specification.new do |spec|
  spec.name = "streamer"
  spec.version = Streamer::VERSION
  spec.authors = ["The streamer authors"]
  spec.summary = "Server-Sent Events for Rails: slow upstreams to the browser, decoded, extracted and encoded in C"
  spec.description = <<~TEXT
    Reads LLM APIs, microservices and other event streams without blocking, decodes, extracts and encodes them in C
    outside the GVL, and delivers to the browser through Rails controllers on Puma and Falcon.
  TEXT
  spec.homepage = "https://github.com/streamer-rb/streamer"
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"

  spec.metadata = {
    "source_code_uri" => spec.homepage,
    "changelog_uri" => "#{spec.homepage}/blob/main/CHANGELOG.md",
    "bug_tracker_uri" => "#{spec.homepage}/issues",
    "documentation_uri" => "#{spec.homepage}/tree/main/docs",
    "rubygems_mfa_required" => "true"
  }

  # Globs, not `git ls-files`: the gem is the same when it is built from an unpacked archive.
  spec.files = Dir.chdir(__dir__) do
    Dir["ext/streamer/**/*.{c,h,rb}", "lib/**/*.{rb,tt,lua}", "lib/generators/**/USAGE", "app/**/*.{rb,js,ts}", "config/importmap.rb",
        "sig/**/*.rbs", "README.md", "CHANGELOG.md", "LICENSE"].sort
  end
  spec.require_paths = ["lib"]
  spec.extensions = ["ext/streamer/extconf.rb"]
end
