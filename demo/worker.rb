# frozen_string_literal: true

# The worker: Solid Queue in one process of its own, as bin/jobs starts it in an application.
require_relative "config/environment"

SolidQueue::Supervisor.start(mode: :async, skip_recurring: true)
