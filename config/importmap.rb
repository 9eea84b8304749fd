# frozen_string_literal: true

pin "streamer", to: "streamer.js"
pin "streamer-rails", to: "streamer.js" # the npm package's name, by which the Stimulus controller imports it
pin "streamer/stimulus", to: "streamer/stimulus.js"
pin "streamer-rails/passages", to: "streamer/passages.js"
pin "streamer/broadcasts", to: "streamer/broadcasts.js"
pin "streamer-rails/broadcasts", to: "streamer/broadcasts.js"
pin "streamer/cable", to: "streamer/cable.js"
