# frozen_string_literal: true

require "rspec/core"
require "streamer/testing"

# In spec/rails_helper.rb, behind rspec/rails:
#
#   require "streamer/rspec"
#
# Request, system and controller specs get the matchers (have_streamed, be_an_event_stream, stream_next, have_ended) and the methods of
# Streamer::Testing::Assertions; request specs get open_event_stream; what a request or system spec leaves open is closed with it.
RSpec.configure do |config|
  %i[controller request system].each { |type| config.include Streamer::Testing::Assertions, type: type }

  config.include Streamer::Testing::Integration, type: :request
  config.before(:suite) { Streamer::Testing::Integration.register_encoder if defined?(ActionDispatch::IntegrationTest) }
  config.append_after(type: :request) { close_event_streams }

  # The pages first: a browser that loses its stream comes back.
  config.append_after(type: :system) do
    Capybara.reset_sessions!
    Streamer::Testing.close_streams
  end
end
