# frozen_string_literal: true

require "async"
require "async/semaphore"
require "open3"
require "puma"
require "rails"
require "active_job"
require "active_record/railtie"
require "action_controller/railtie"
require "turbo-rails" # before the application is initialized
require "puma/server"
require "rbconfig"
require "streamer/providers" # here, since async on Ruby 3.1 cannot read files
require "stringio"
require "timeout"
require_relative "provider_transcripts"
require_relative "rails_app"
require_relative "sse_client"
require_relative "upstream"

# Where the documents' Ruby runs: one namespace per block, and instead of the services that it names a server on loopback.
#
#   Snippets.run(block, setup, expected)
#
# setup: the blocks marked `setup` above it in its file; expected: the text of the `output` or `stream` block that follows, or nil. The
# block's marker chooses the harness, a method below. It answers with what was asserted, and raises Snippets::Wrong where a document
# says something that is not so.
module Snippets
  Wrong = Class.new(StandardError)

  PATIENCE = 120

  # What the documents name, and what stands in for it.
  AUTHORITY = "config/internal-ca.pem"
  RECORDING = "test/recordings/answer.json"
  RECORDED = File.expand_path("../fixtures/recordings/chat.json", __dir__)
  HOSTS = %w[https://api.openai.com https://api.example.com https://stock.example.com https://log.example.com].freeze
  PRIVATE_HOST = "https://internal.example.com"

  # Bodies of its services that are no event streams, and an upstream's own error.
  NDJSON = "{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"message\":{\"content\":\"lo\"},\"done\":true}\n"
  ARRAY = "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}]}}]},\r\n" \
          "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}]}}]}]"
  OVERLOADED = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"

  # An Active Record model that applications have.
  ActiveRecord::Schema.define do
    create_table(:answers, force: true) do |table|
      table.string :question, :content, :status
      table.integer :tokens
    end
  end
  ActiveRecord::Base.connection_handler.clear_active_connections!(:all)
  class Answer < ActiveRecord::Base; end

  class ApplicationController < ActionController::Base
    include Streamer::Controller

    def self.inherited(controller)
      super
      Snippets.controllers << controller
    end
  end

  # What was raised behind a stream, for the message of a failure.
  class Reports
    def report(error, **) = Snippets.reported << error
  end
  Rails.error.subscribe(Reports.new)

  class << self
    def controllers = @controllers ||= []
    def reported = @reported ||= []

    def run(block, setup, expected)
      controllers.clear
      reported.clear
      Answer.delete_all
      Run.new(block, expected).call(setup)
    end

    # A namespace of its own for each block, so that none leans on another.
    def namespace
      @count = @count.to_i + 1
      const_set("Block#{@count}", Module.new).tap do |space|
        space.const_set(:ApplicationController, Class.new(ApplicationController))
        controllers.clear
      end
    end

    def upstream
      @upstream ||= start(script).tap do |server|
        Streamer::Providers.names.each do |name| # where the documents do not name the host, the provider does
          provider = Streamer::Providers[name]
          provider.declare(base_url: server.url(URI(provider.declaration[:base_url]).path))
        end
      end
    end

    def private_upstream = @private_upstream ||= start(script, tls: true)

    # A Puma in this process, with Rails' whole stack.
    def port
      @port ||= begin
        Rails.application.routes.disable_clear_and_finalize = true
        Rails.application.routes.draw do
          match "/snippet/:name", to: Snippets.method(:dispatch), via: :all
          get "/answer", to: Snippets.method(:dispatch), defaults: { name: "show" }
        end
        server = Puma::Server.new(Rails.application, nil, max_threads: 5, log_writer: Puma::LogWriter.null)
        server.add_tcp_listener("127.0.0.1", 0)
        server.run
        Minitest.after_run { server.stop(true) }
        server.connected_ports.first
      end
    end

    def dispatch(env)
      controllers.last.action(env["action_dispatch.request.path_parameters"][:name]).call(env)
    end

    private

    def start(scripts, **options)
      Upstream.new(**options).tap do |server|
        scripts.each { |path, script| server.on(path, &script) }
        Minitest.after_run { server.stop }
      end
    end

    # The services of the documents.
    def script
      numbered = Array.new(3) { |number| "id: #{number + 1}\nevent: line\ndata: #{number + 1} ok\n\n" }
      ending = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: { total_tokens: 12 } }
      chat = [*Array.new(3) { |number| Upstream.token(number) }, "data: #{ending.to_json}\n\n", "data: [DONE]\n\n"]
      asked = 0
      flaky = lambda do |exchange|
        refused = (asked += 1).odd?
        exchange.json({ id: 7 }, status: refused ? 503 : 200, headers: { "retry-after-ms" => 20 })
      end
      {
        "/v1/chat/completions" => ->(exchange) { exchange.stream(chat) },
        "/events" => ->(exchange) { exchange.stream(numbered) },
        "/lines" => ->(exchange) { exchange.answer("one\ntwo\n") },
        "/api/chat" => ->(exchange) { exchange.answer(NDJSON, type: "application/x-ndjson") },
        "/models/small:streamGenerateContent" => ->(exchange) { exchange.answer(ARRAY, type: "application/json") },
        "/overloaded" => ->(exchange) { exchange.stream([*chat.first(2), OVERLOADED], headers: { "x-request-id" => "req-7" }) },
        "/unknown-model" => ->(exchange) { exchange.json({ error: { message: "no such model", type: "invalid_request_error" } }) },
        "/cut-short" => ->(exchange) { exchange.stream([Upstream.token(0)]) },
        "/orders/7" => ->(exchange) { exchange.json({ id: 7, total: 12.5 }) },
        "/files/report" => ->(exchange) { exchange.json({ bytes: exchange.request.body.bytesize }, status: 200) },
        "/moved" => ->(exchange) { exchange.redirect("/orders/7") },
        "/busy" => ->(exchange) { exchange.json({ error: "slow down" }, status: 429, headers: { "retry-after" => 7 }) },
        "/silent" => ->(exchange) { exchange.head.chunk(numbered.first).stall },
        "/pinging" => lambda do |exchange|
          exchange.head.chunk(numbered.first)
          loop { exchange.chunk("event: ping\ndata: {}\n\n").pause(0.15) }
        end,
        "/broken" => ->(exchange) { exchange.head.chunk(numbered.first).close },
        "/flaky" => flaky,
        "/down" => ->(exchange) { exchange.json({ error: "out of order" }, status: 500) },
        "/feed" => method(:feed),
        "/quotes/rail" => ->(exchange) { exchange.pause(0.4).json({ error: "no trains today" }, status: 500) },
        "/quotes/air" => ->(exchange) { exchange.pause(0.01).json({ price: 40 }) },
        "/quotes/sea" => ->(exchange) { exchange.pause(1).json({ price: 9 }) },
        "/v1/messages" => ->(exchange) { ProviderTranscripts.play(exchange, "anthropic_tools") },
        "/overloaded/v1/messages" => ->(exchange) { ProviderTranscripts.play(exchange, "anthropic_error") }
      }
    end

    # Two events, then one behind the last that was seen, then nothing more.
    def feed(exchange)
      case exchange.request.headers["last-event-id"]
      when nil then exchange.stream(["id: 1\nretry: 10\ndata: one\n\n", "id: 2\ndata: two\n\n"])
      when "2" then exchange.stream(["id: 3\ndata: three\n\n"])
      else exchange.raw("HTTP/1.1 204 No Content\r\n\r\n")
      end
    end
  end

  # One block's run.
  class Run
    SETTINGS = File.expand_path("../../lib/streamer/railtie.rb", __dir__)
    CHECK = /\A(\s*)(\S.*?)\s+# => (.+)\z/

    def initialize(block, expected)
      @block = block
      @expected = expected
      @space = Snippets.namespace
      @output = StringIO.new
      @checks = 0
      equip
    end

    def call(setup)
      asked = requests
      Timeout.timeout(PATIENCE) do
        setup.each { |block| evaluate(block) }
        public_send(@block.harness)
      end
      compare(@output.string) unless @output.string.empty?
      @asked = requests - asked
      self
    end

    # Whether anything was there that could have been wrong.
    def assertive? = @checks.positive? || @asked.positive?

    # --- the harnesses ---

    # A piece that others in the file build on.
    def setup
      evaluate(@block)
      @checks += 1 # that it is valid is all that it says
    end

    # Plain Ruby. `EXPRESSION # => VALUE` is checked; what it prints is compared with the `output` block that follows.
    # raises=Streamer::IdleTimeoutError: the exception that ends it.
    def script
      return evaluate(@block) unless (name = @block.options["raises"])

      begin
        evaluate(@block)
      rescue StandardError => error
        agree(error.class.name, name, "raises")
        return
      end
      raise Wrong, "it does not raise #{name}"
    end

    # The same among async's tasks.
    def async = Sync { script }

    # gem=NAME: the same in a process of its own, with that gem, for gems that have the same names; where the gem is not in the leg, not at
    # all. Values are not checked.
    def alone
      name = @block.options.fetch("gem")
      @checks += 1
      return warn("#{@block.location} does not run: this leg has no #{name}") unless Gem.loaded_specs.key?(name)

      preparation = <<~RUBY
        $LOAD_PATH.unshift(*Gem.loaded_specs[#{name.dump}].full_require_paths)
        require "#{name.delete_prefix("ruby-")}"
      RUBY
      output, status = Open3.capture2e(RbConfig.ruby, "-Ilib", "-rbundler/setup", "-e", preparation + localized(@block.text))
      raise Wrong, output unless status.success?

      @output.print(output)
    end

    # A whole controller, of which each action is asked for. params={...}: the query; headers={...}: the request's; error=NAME: the error
    # event that it ends with; status=422: no stream but this answer; saved=STATUS: what the last Answer then has (a callback may come later).
    # The `stream` block that follows is what the browser gets. Nothing may have been reported to Rails.error, unless `error` says so.
    def controller
      evaluate(@block)
      ask_all(Snippets.controllers.last)
    end

    # Methods of a controller.
    def action
      controller_with(@block.text)
      ask_all(Snippets.controllers.last)
    end

    # The inside of a stream_events block.
    def events
      controller_with("def show\nstream_events do |events|\n#{@block.text}\nend\nend", -2)
      ask_all(Snippets.controllers.last)
    end

    # Lines of config/application.rb.
    def config
      options = Streamer::Railtie.config.streamer
      before = options.dup
      options.clear
      log = options.log = ActiveSupport::OrderedOptions.new
      evaluate(@block)
      known = File.read(SETTINGS).scan(/config\.streamer\.([\w.]+) =/).flatten
      names = options.except(:log).keys + log.keys.map { |name| "log.#{name}" }
      names.each { |name| agree(known & [name.to_s], [name.to_s], "a setting") }
    ensure
      options.replace(before)
    end

    # A test class of an application.
    def integration
      before = Minitest::Runnable.runnables.dup
      evaluate(@block)
      (Minitest::Runnable.runnables - before).each do |tests|
        tests.app = Rails.application if tests.respond_to?(:app=)
        Snippets.port # the routes
        tests.runnable_methods.each { |name| passed(tests.new(name).run) }
      end
    ensure
      Minitest::Runnable.runnables.replace(before)
    end

    private

    def requests = Snippets.upstream.requests.size + Snippets.private_upstream.requests.size

    # What scripts find: p and its kind into the output, and the checks.
    def equip
      run = self
      output = @output
      @space.define_singleton_method(:print) { |*things| output.print(*things) }
      @space.define_singleton_method(:puts) { |*things| output.puts(*things) }
      @space.define_singleton_method(:check) { |actual, text, line, scope| run.send(:check, actual, text, line, scope) }
      @space.define_singleton_method(:config) { Rails.application.config }
      @binding = @space.module_eval("binding", __FILE__, __LINE__)
    end

    def evaluate(block, text = block.text, line = block.line)
      eval(with_checks(localized(text), line), @binding, block.path, line)
    end

    def controller_with(methods, offset = -1)
      head = "class SnippetsController < ApplicationController; "
      evaluate(@block, "#{head}\n#{methods}\nend", @block.line + offset)
    end

    def localized(text)
      local = HOSTS.reduce(text) { |code, host| code.gsub(host, Snippets.upstream.url) }
                   .gsub(PRIVATE_HOST) { Snippets.private_upstream.url }.gsub(AUTHORITY, Certificates.ca_file)
                   .gsub(RECORDING, RECORDED)
      stranger = local[%r{https?://(?!127\.0\.0\.1|localhost)[^"\s]+}]
      raise Wrong, "#{stranger} is no host of test/support/snippets.rb" if stranger

      local
    end

    def with_checks(code, line)
      code.each_line.with_index(line).map do |source, number|
        match = CHECK.match(source.chomp) or next source
        "#{match[1]}check((#{match[2]}), #{match[3].dump}, #{number}, binding)\n"
      end.join
    end

    def check(actual, text, line, scope)
      @checks += 1
      return actual if actual.inspect == text || actual == scope.eval(text)

      raise Wrong, "line #{line} says #{text}, and it is #{actual.inspect}"
    end

    def agree(actual, expected, what)
      @checks += 1
      raise Wrong, "#{what}: the document has\n#{expected}\nand it is\n#{actual}" unless actual == expected
    end

    def compare(actual)
      raise Wrong, "it gives something, and the document does not show it:\n#{actual}" if @expected.nil?

      agree(actual.strip, @expected.strip, "what follows")
    end

    def passed(result)
      @checks += result.assertions
      raise Wrong, result.failures.map(&:message).join("\n") unless result.passed?
    end

    def ask_all(controller)
      raise Wrong, "it defines no controller" if controller.nil?

      actions = controller.action_methods.to_a & controller.public_instance_methods(false).map(&:to_s)
      raise Wrong, "the controller has no action" if actions.empty?

      actions.each { |action| ask(action) }
    end

    def ask(action)
      query = URI.encode_www_form(@block.options.fetch("params", {}))
      browser = SSEClient.new(Snippets.port, "/snippet/#{action}?#{query}", headers: @block.options.fetch("headers", {}))
      return agree(browser.status, @block.options["status"], "status") if @block.options.key?("status")

      text = browser.body.gsub(/^:.*\n\n/, "")
      found = text[/^event: error\ndata: .*"error":"(\w+)"/, 1]
      unless found == @block.options["error"] && browser.status == 200 && browser.clean?
        raise Wrong, "#{action} answers #{browser.status}\n#{text}\n#{Snippets.reported.map(&:full_message).join("\n")}"
      end

      @checks += 1
      compare(text) if @expected
      wait_for_answer(@block.options["saved"]) if @block.options.key?("saved")
      raise Wrong, Snippets.reported.map(&:full_message).join("\n") unless Snippets.reported.empty? || found
    end

    def wait_for_answer(status)
      sleep 0.01 until Answer.last&.status == status
      @checks += 1
    end
  end
end
