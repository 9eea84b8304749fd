# frozen_string_literal: true

# llms.txt: what language models that help somebody with this gem should read, in the form of llmstxt.org, made from README.md and docs/.
# `bundle exec rake llms` writes it; test/docs/llms_test.rb says when that was forgotten.
module Llms
  ROOT = File.expand_path("../..", __dir__)
  PATH = File.join(ROOT, "llms.txt")

  # Which guide is for whom; what is in none of them is optional reading.
  SECTIONS = {
    "In a Rails application" => %w[getting_started rails browser turbo testing_your_app upgrading production troubleshooting],
    "Upstreams" => %w[client providers connections retries errors parallel formats transports bytes],
    "Optional" => nil
  }.freeze

  class << self
    def text
      named = SECTIONS.values.compact.flatten
      sections = SECTIONS.map do |title, names|
        names = names ? names & guides : guides - named
        "## #{title}\n\n#{names.map { |name| entry(name) }.join}"
      end
      ["# streamer\n", "> #{sentence("README.md")}\n", *sections].join("\n")
    end

    def write = File.write(PATH, text)

    private

    def guides = Dir[File.join(ROOT, "docs/*.md")].map { |path| File.basename(path, ".md") }.sort

    def entry(name)
      file = "docs/#{name}.md"
      "- [#{read(file)[/\A# (.+)$/, 1]}](#{file}): #{sentence(file) || read("README.md")[/^- \[#{file}\]\(#{file}\): (.*)$/, 1]}\n"
    end

    # The first sentence below a document's title, in one line and without links; nil where there is something else.
    def sentence(file)
      text = read(file)[/\A# [^\n]+\n\n((?:`|\p{Lu}).*?\.)(?=\s)/m, 1]
      text&.tr("\n", " ")&.gsub(/\[([^\]]*)\]\([^)]*\)/, '\1')
    end

    def read(file) = File.read(File.join(ROOT, file))
  end
end
