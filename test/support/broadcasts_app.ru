# frozen_string_literal: true

# An application whose answers are generations: written by commands or by jobs in eight threads, and shown by Turbo Streams over Action Cable, by
# a channel, or by event streams. CABLE: the adapter of Action Cable.
require "logger"
require "rails"
require "active_record/railtie"
require "active_job/railtie"
require "action_cable/engine"
require "action_controller/railtie"
require "action_view/railtie"
require "turbo-rails"
require "importmap-rails"
require "stimulus-rails"
require "streamer"
require "streamer/engine"
require_relative "generation_tables"
require_relative "notes"
$LOAD_PATH.unshift(File.join(__dir__, "cable"))

module BroadcastsApp
  WRITERS = Concurrent::Map.new

  class Application < Rails::Application
    config.root = __dir__
    config.paths["app/views"] = [File.join(__dir__, "broadcasts_app/views")]
    config.load_defaults Rails::VERSION::STRING.to_f
    config.eager_load = false
    config.logger = Logger.new($stdout)
    config.log_level = ENV.fetch("LEVEL", "warn").to_sym
    config.secret_key_base = "only for tests"
    config.hosts.clear
    config.action_cable.disable_request_forgery_protection = true
    config.active_job.queue_adapter = ActiveJob::QueueAdapters::AsyncAdapter.new(min_threads: 8, max_threads: 8)
    config.streamer.log.store = :memory
  end
end

# What nobody is told of is in the server's log.
class ErrorsToLog
  def report(error, **) = Rails.logger.error(error.full_message)
end
Rails.error.subscribe(ErrorsToLog.new)

ENV["DATABASE_URL"] = "sqlite3:#{File.join(ENV.fetch("DIRECTORY"), "app.sqlite3")}?pool=40&timeout=5000&default_transaction_mode=immediate"
BroadcastsApp::Application.initialize!
ActionCable.server.config.cable = { "adapter" => ENV.fetch("CABLE", "async") }
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define { GenerationTables.create(self) }

class ApplicationController < ActionController::Base
  layout "application"
  skip_forgery_protection
end

class Answer < ActiveRecord::Base
  include Streamer::Generation

  broadcasts_text over: %i[turbo cable]
end

# The same rows, with a text that is rendered.
class RenderedAnswer < Answer
  broadcasts_text partial: "answers/text"
  def self.model_name = Answer.model_name
end

# So many words, one in each `pace` milliseconds.
class AnswerJob < ActiveJob::Base
  include Streamer::Job

  def self.words(id, count) = Array.new(count) { |number| "#{id}:#{number} " }

  def perform(generation, count, pace)
    stream_into(generation) do |out|
      self.class.words(generation.id, count).each { |word| (out << word) && sleep(pace / 1000.0) }
    end
  end
end

class AnswersController < ApplicationController
  include Streamer::Controller

  def create = render(json: { id: model.create!.id })

  # In a job.
  def work
    AnswerJob.perform_later(find, params[:count].to_i, params[:pace].to_i)
    head :no_content
  end

  def events = follow_events(find, retry: 50)

  # text: to be added. attempt: "reset" or "continue", where another attempt is to begin. close: the state to end in. dies: before the record
  # is brought in line with it.
  def write
    answer = find
    writers = BroadcastsApp::WRITERS
    writers[answer.id] = begin_attempt(answer, params[:attempt]) if params[:attempt] || !writers.key?(answer.id)
    out, writer = writers[answer.id]
    out << params[:text] if params[:text]
    finish(answer, writer) if params[:close]
    head :no_content
  end

  def counts = render(json: ActionCable::SubscriptionAdapter::Unsteady::COUNTS)

  private

  def model = params[:rendered] ? RenderedAnswer : Answer

  def find = model.find(params[:id])

  def begin_attempt(answer, mode)
    BroadcastsApp::WRITERS[answer.id]&.last&.release
    writer = answer.log.claim(mode: mode || "reset")
    [Streamer::Generation::Output.new(writer, answer, -> { false }), writer]
  end

  # By another than has written it: as an upstream's end and a stop from elsewhere are.
  def finish(answer, writer)
    writer.close(params[:close])
    answer.settle unless params[:dies]
  end
end

class PagesController < ApplicationController
  def up = head(:ok)

  # way: turbo, cable, source (Turbo's element) or events (the module's). wait: the script begins when the test says so.
  def show
    @answers = params[:ids].split(",").map { |id| params[:rendered] ? RenderedAnswer.find(id) : Answer.find(id) }
  end
end

BroadcastsApp::Application.routes.draw do
  mount ActionCable.server => "/cable"
  get "/up" => "pages#up"
  get "/counts" => "answers#counts"
  { Turbo::Engine => "turbo", ActionCable::Engine => "actioncable", Stimulus::Engine => "stimulus" }.each do |engine, name|
    mount Rack::Files.new(engine.root.join("app/assets/javascripts").to_s) => "/assets/#{name}"
  end
  mount Rack::Files.new(Streamer::Engine.root.join("app/assets/javascripts").to_s) => "/assets/streamer"
  resources(:answers, only: :create) { member { get(:events) && post(:write) && post(:work) } }
  get "/pages/:way" => "pages#show"
end

run BroadcastsApp::Application
