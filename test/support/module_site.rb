# frozen_string_literal: true

require "json"
require_relative "upstream"

# A site on loopback that serves the JavaScript as an application would: our modules, Stimulus and Turbo from their gems.
#
#   site = ModuleSite.new
#   site.page("/", '<div data-controller="streamer" …>')        # an HTML page whose script registers the controller
#   site.on("/stream") { |exchange| … }                          # as Upstream
#   site.url("/"); site.requests("/stream"); site.stop
class ModuleSite
  ROOT = File.expand_path("../..", __dir__)
  gem_path = ->(name) { File.join(Gem.loaded_specs.fetch(name).full_gem_path, "app/assets/javascripts") }
  SCRIPTS = {
    "/streamer.js" => "#{ROOT}/app/assets/javascripts/streamer.js",
    "/streamer/stimulus.js" => "#{ROOT}/app/assets/javascripts/streamer/stimulus.js",
    "/decode.js" => "#{ROOT}/test/browser/module/decode.mjs",
    "/stimulus.js" => "#{gem_path["stimulus-rails"]}/stimulus.min.js",
    "/turbo.js" => "#{gem_path["turbo-rails"]}/turbo.min.js"
  }.freeze
  IMPORTS = {
    "streamer" => "/streamer.js", "streamer-rails" => "/streamer.js", "streamer/stimulus" => "/streamer/stimulus.js",
    "@hotwired/stimulus" => "/stimulus.js", "@hotwired/turbo-rails" => "/turbo.js"
  }.freeze
  APPLICATION = <<~JS
    import { Application } from "@hotwired/stimulus"
    import StreamerController from "streamer/stimulus"
    Application.start().register("streamer", StreamerController)
  JS
  NONCE = "bm9uY2U"

  attr_reader :upstream

  # tls: as Upstream's.
  def initialize(tls: false)
    @upstream = Upstream.new(tls: tls)
    SCRIPTS.each do |path, file|
      @upstream.on(path) { |exchange| exchange.answer(File.read(file), type: "text/javascript") }
    end
  end

  # turbo: whether the page loads Turbo, too. head: more of the page's head. script: the application's own. headers: of the response.
  def page(path, body, turbo: false, head: "", script: APPLICATION, headers: {})
    script = "import \"@hotwired/turbo-rails\"\n#{script}" if turbo
    html = <<~HTML
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>#{path}</title><link rel="icon" href="data:,">#{head}
      <script type="importmap" nonce="#{NONCE}">#{JSON.generate(imports: IMPORTS)}</script>
      <script type="module" nonce="#{NONCE}">#{script}</script></head>
      <body>#{body}</body></html>
    HTML
    on(path) { |exchange| exchange.answer(html, type: "text/html; charset=utf-8", headers: headers) }
  end

  def on(path, &script)
    @upstream.on(path, &script)
    self
  end

  def url(path = "/") = @upstream.url(path)
  def stop = @upstream.stop

  # Those of one path, without their queries.
  def requests(path) = @upstream.requests.select { |request| request.path == path }
end
