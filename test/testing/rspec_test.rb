# frozen_string_literal: true

require "test_helper"
require "fileutils"
require "open3"
require "rbconfig"
require "tmpdir"

# RSpec's request specs with streamer/rspec, in a process of their own, beside rspec-sse-matchers.
class RSpecTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)

  HELPER = <<~RUBY
    require "rails"
    require "action_controller/railtie"
    require "streamer"

    class AnswersController < ActionController::Base
      include Streamer::Controller

      def show
        stream_events do |events|
          sleep params[:pause].to_f
          events.write({ content: "Hel" }, event: "token", id: "1")
          events.write({ content: "lo" }, event: "token", id: "2")
          events.write("", event: "done")
        end
      end

      def endless
        stream_events { |events| loop { events.write("again") } }
      end
    end

    class App < Rails::Application
      config.root = __dir__
      config.eager_load = false
      config.hosts.clear
      config.logger = Logger.new(nil)
      config.secret_key_base = "for tests only" * 3
      routes.append do
        get "answer" => "answers#show"
        get "endless" => "answers#endless"
        get "page" => ->(_) { [200, { "content-type" => "text/html" }, ["a page"]] }
      end
    end
    App.initialize!
    require "rspec/rails"
    require "streamer/rspec"
    require "rspec/sse/matchers"
    RSpec.configure { |config| config.include RSpec::SSE::Matchers, type: :request }
  RUBY

  def test_every_matcher_passes_where_it_should_and_rspec_sse_matchers_beside_it
    output, status = specs(<<~RUBY)
      RSpec.describe "Answers", type: :request do
        it "are asserted when they are complete" do
          get "/answer", as: :event_stream
          expect(response).to be_an_event_stream
          expect(response).to have_streamed({ token: { content: "Hel" } }, :token, :done)
          expect(response.parsed_body.last.type).to eq "done"
          expect(response).to contain_exactly_sse_event_types("token", "token", "done")
        end

        it "are read as they come" do
          stream = open_event_stream("/answer?pause=60")
          expect(stream).to stream_next(:token).after(60).within(60)
          expect(stream).not_to have_ended
          expect(stream).to stream_next(:done)
          expect(stream).to have_ended
          expect(stream.resume).to be_an_event_stream
        end

        it "may be endless" do
          expect(open_event_stream("/endless")).to stream_next({ message: "again" })
        end

        it "are no pages" do
          get "/page"
          expect(response).not_to be_an_event_stream
        end
      end
    RUBY
    assert_predicate status, :success?, output
    assert_includes output, "4 examples, 0 failures"
  end

  def test_every_matcher_fails_where_it_should_and_says_why
    output, status = specs(<<~RUBY)
      RSpec.describe "Answers", type: :request do
        it("1") { get("/page"); expect(response).to be_an_event_stream }
        it("2") { get("/answer"); expect(response).to have_streamed(:done) }
        it("3") { expect(open_event_stream("/answer?pause=60")).to stream_next(:token).within(1) }
        it("4") { expect(open_event_stream("/answer")).to have_ended }
        it("5") { get("/answer"); expect(response).to stream_next(:token) }
      end
    RUBY
    refute_predicate status, :success?
    assert_includes output, "5 examples, 5 failures"
    ["expected an event stream (200, text/event-stream), and it is 200 text/html", "expected these events:\n         done\n",
     "at most 1 s before each event; event 1 (token) came after 60.0 s", "expected the stream to have ended, and there was",
     "it reads a stream of open_event_stream; got ActionDispatch::TestResponse"].each { |message| assert_includes output, message }
  end

  def test_the_two_gems_share_no_name
    names = `#{RbConfig.ruby} -I#{ROOT}/lib -rbundler/setup -rstreamer/testing -rrspec/core -rrspec/sse/matchers -e '
      ours = Streamer::Testing::Assertions.instance_methods + Streamer::Testing::Integration.instance_methods
      p [ours & RSpec::SSE::Matchers.instance_methods, ours.size > 10]'`
    assert_equal "[[], true]", names.chomp
  end

  private

  def specs(text)
    Dir.mktmpdir("streamer-rspec") do |directory|
      File.write("#{directory}/helper.rb", HELPER)
      File.write("#{directory}/answers_spec.rb", text)
      Open3.capture2e({ "RAILS_ENV" => "test" }, RbConfig.ruby, "-I#{ROOT}/lib", "-rbundler/setup", "-S", "rspec", "--no-color",
                      "-r", "#{directory}/helper.rb", "#{directory}/answers_spec.rb", chdir: ROOT)
    end
  end
end
