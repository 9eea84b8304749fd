# frozen_string_literal: true

require "test_helper"
require "rails"
require "support/browser"
require "support/fresh_app"
require "support/markdown"
require "streamer/testing"

# docs/getting_started.md, followed as it is written in a new application: what it says to type is typed, what it says to write is written,
# what it shows is what the generators made, and Chromium sees the tokens arrive one by one.
class GettingStartedTest < Minitest::Test
  GUIDE = Markdown.new(File.expand_path("../../docs/getting_started.md", __dir__))
  TOKENS = %w[t0 t1 t2 t3 t4].freeze

  def setup
    @upstream = Streamer::Testing::Upstream.new { |exchange| exchange.openai(tokens: TOKENS.size, every: 0.15) }
    @typed = []
  end

  def teardown
    @page&.close
    @app&.remove
    @upstream.stop
  end

  def test_the_guide_leads_from_rails_new_to_a_page_that_shows_an_answer_token_by_token
    GUIDE.blocks.each { |block| follow(block) }

    assert_equal ["rails new chat", "bundle add streamer --path ../streamer", "bin/rails generate streamer:install",
                  "bin/rails generate streamer:stream answer", "bin/rails server", "bin/rails test"], @typed
    assert_match(/1 runs, [1-9]\d* assertions, 0 failures, 0 errors/, @app.run("bin/rails test test/controllers/imports_controller_test.rb"))
    see { |base| assert_progress("#{base}/import") }
  end

  private

  def follow(block)
    case block.harness
    when "typed", "served" then block.text.each_line(chomp: true) { |line| type(line) }
    when "written" then @app.write(block.options.fetch("path"), block.text)
    when "shown" then assert_equal @app.read(block.options.fetch("path")), block.text, block.location
    end
  end

  # The commands as they are; only what would ask a registry comes from here, and the server is one for Chromium.
  def type(line)
    case line
    when "cd chat", /\Aexport / then return
    when "rails new chat" then @app = FreshApp.new
    when "bundle add streamer --path ../streamer" then @app.add("streamer")
    when "bin/rails server" then see { |base| assert_token_by_token("#{base}/answer") }
    when "bin/rails test" then assert_match(/3 runs, [1-9]\d* assertions, 0 failures, 0 errors/, @app.run(line))
    else @app.run(line)
    end
    @typed << line
  end

  def see(&block)
    @app.serve({ "OPENAI_BASE_URL" => @upstream.url, "OPENAI_API_KEY" => "sk-test" }, &block)
  end

  def assert_token_by_token(url)
    @page = Browser.open(url)
    @page.wait("the Stimulus controller") { @page.evaluate("(window.Stimulus?.controllers ?? []).some((one) => one.identifier === 'streamer')") }
    @page.execute("document.querySelector('[name=question]').value = 'Why?'; #{note_changes("[data-streamer-target=text]", "textContent")}")
    @page.execute("document.querySelector('button[name=button]').click()") # wherever the layout has it by now
    wait_for_end

    assert_equal TOKENS.each_index.map { |last| TOKENS[0..last].map { |token| "#{token} " }.join }, @page.evaluate("window.changes")
    assert_equal ["Why?", "Bearer sk-test"], [JSON.parse(@upstream.requests.last.body)["messages"].last["content"],
                                              @upstream.requests.last.headers["authorization"]]
    assert_empty @page.errors
  end

  def assert_progress(url)
    @page.close
    @page = Browser.open(url)
    wait_for_end

    assert_equal [4, 4], @page.evaluate("[document.querySelector('progress').value, document.querySelector('progress').max]")
    assert_empty @page.errors
  end

  def wait_for_end
    @page.wait("the end") { @page.text("[data-streamer-target=state]") == "Finished" }
  rescue Browser::Late => error
    flunk "#{error.message}: #{@page.text("body").squish}\n#{@page.errors.join("\n")}\n#{@upstream.requests.size} requests"
  end

  # Notes each value that a property of the element has.
  def note_changes(selector, property)
    <<~JS
      const element = document.querySelector(#{selector.to_json})
      window.changes = []
      new MutationObserver(() => window.changes.push(element.#{property})).observe(element, { childList: true, characterData: true, subtree: true })
    JS
  end
end
