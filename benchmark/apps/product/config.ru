# frozen_string_literal: true

require_relative "application"

Busy.report(File.join(ENV.fetch("APP_ROOT"), "busy"))
run Application
