# frozen_string_literal: true

require "rack"

# Middleware as applications have it, well-behaved and not. MIDDLEWARE in the environment names what a server has of it.
module RailsApp
  # One request at a time, as Rails has it without config.allow_concurrency.
  Lock = Rack::Lock

  # As Rack::Timeout does.
  class Limit
    SECONDS = 3

    def initialize(app)
      @app = app
    end

    def call(env) = Timeout.timeout(SECONDS) { @app.call(env) }
  end

  # As Warden's: what is thrown in an action is answered here.
  class Authentication
    def initialize(app)
      @app = app
    end

    def call(env)
      result = catch(:warden) { return @app.call(env) }
      [401, { "content-type" => "text/plain", "www-authenticate" => "Test" }, ["sign in first, #{result[:scope]}"]]
    end
  end

  # Notes how often the server says that a response is over.
  class Finished
    def initialize(app)
      @app = app
    end

    def call(env)
      name = Rack::Request.new(env).params["note"]
      (env["rack.response_finished"] ||= []) << ->(*) { RailsApp.note(name, "finished") }
      @app.call(env)
    end
  end

  # Compresses by what it reads of the body.
  class Conditional < Rack::Deflater
    def initialize(app)
      super(app, if: ->(_env, _status, _headers, body) { body.each { |part| part }.nil? || true })
    end
  end

  # Puts a script into each page, as profilers and live reloading do.
  class Injector
    def initialize(app)
      @app = app
    end

    def call(env)
      status, headers, body = @app.call(env)
      return [status, headers, body] unless headers["content-type"].to_s.include?("text/html")

      page = +""
      body.each { |part| page << part }
      body.close if body.respond_to?(:close)
      [status, headers.except("content-length"), [page, "<script></script>"]]
    end
  end

  # Checks JSON against a description before it is sent, and whatever else is described when it was, if it can be read.
  class Validation
    def initialize(app)
      @app = app
    end

    def call(env)
      status, headers, body = @app.call(env)
      proxy = Rack::BodyProxy.new(body) { body.each { |part| part } if body.respond_to?(:each) }
      [status, headers, proxy]
    end
  end

  # Takes every body for an Array.
  class Greedy
    def initialize(app)
      @app = app
    end

    def call(env)
      status, headers, body = @app.call(env)
      case Rack::Request.new(env).params["greedy"]
      when "to_ary" then body = body.to_ary
      when "each" then body.each { |part| part }
      when "first" then body = [body.first]
      when "join" then body = [body.join]
      end
      [status, headers, body]
    end
  end
end
