# frozen_string_literal: true

require_relative "peer_app"
run PeerApp
