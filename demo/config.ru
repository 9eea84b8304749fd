# frozen_string_literal: true

# What Puma and Falcon start: the Rails application with its default middleware stack, nothing in front of it.
require_relative "config/environment"

run Rails.application
