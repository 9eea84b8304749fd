# frozen_string_literal: true

require "test_helper"
require "json"
require "support/browser"
require "support/markdown"
require "support/module_site"

# The pages and the script of docs/browser.md, in Chromium: each shows in the end what the block behind it says.
class BrowserGuideTest < Minitest::Test
  GUIDE = Markdown.new(File.expand_path("../../docs/browser.md", __dir__))
  RUN = %w[page module].freeze
  DONE = "event: done\ndata: {}\n\n"

  def setup
    @site = ModuleSite.new
    stream("/answers/1") { ["The ", "wind ", "is ", "up."].each_with_index.map { |text, index| "id: 1-#{index + 1}\n#{token(text)}" } }
    stream("/answers") { |request| [token("You asked: #{request.body[/name="question"\r\n\r\n(.*)\r\n/, 1]}")] }
    stream("/imports/1") { [progress(1, "orders"), progress(2, "invoices")] }
  end

  def teardown
    @page&.close
    @site.stop
  end

  GUIDE.blocks.each_cons(2) do |block, result|
    next unless RUN.include?(block.harness)

    define_method("test_#{block.location}") do
      assert_equal "shown", result.harness, "#{block.location} shows nothing"
      open_page(block)
      @page.wait("#{result.text} of #{block.location}; there is #{shown}") { shown == result.text.strip }

      assert_empty @page.errors
    end
  end

  def test_the_tables_name_every_value_and_every_target
    controller = File.read(ModuleSite::SCRIPTS.fetch("/streamer/stimulus.js"))
    values = controller[/static values = \{(.*?)^  \}/m, 1].scan(/^    (\w+):/).flatten
    targets = controller[/static targets = \[(.*)\]/, 1].scan(/\w+/)
    rows = GUIDE.source.scan(/^\| `(\w+)` \|/).flatten

    assert_empty (values + targets) - rows
  end

  private

  def open_page(block)
    page = block.harness == "page"
    page ? @site.page("/page", block.text) : @site.page("/page", "", script: block.text)
    @page = Browser.open(@site.url("/page"))
    return unless block.text.include?("<form")

    @page.wait("the controller") { @page.evaluate("document.querySelector('[aria-busy]') !== null") }
    @page.click("form button")
  end

  def shown = @page.evaluate("document.body.innerText").split("\n").map(&:strip).reject(&:empty?).join("\n")

  def stream(path)
    @site.on(path) { |exchange| exchange.head.chunk([*yield(exchange.request), DONE].join).finish }
  end

  def token(text) = "event: token\ndata: #{JSON.generate(content: text)}\n\n"
  def progress(done, step) = "event: progress\ndata: #{JSON.generate(done: done, total: 2, step: step)}\n\n"
end
