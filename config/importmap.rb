# frozen_string_literal: true

pin "streamer", to: "streamer.js"
pin "streamer/stimulus", to: "streamer/stimulus.js"
