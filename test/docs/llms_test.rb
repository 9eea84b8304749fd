# frozen_string_literal: true

require "test_helper"
require "support/llms"
require "support/markdown"

class LlmsTest < Minitest::Test
  def test_it_is_what_the_documents_say_now
    assert_equal Llms.text, File.read(Llms::PATH), "bundle exec rake llms writes it anew"
  end

  def test_every_guide_is_in_it_once
    linked = Markdown.new(Llms::PATH).links

    assert_equal Dir[File.join(Llms::ROOT, "docs/*.md")].map { |path| "docs/#{File.basename(path)}" }.sort, linked.sort
  end
end
