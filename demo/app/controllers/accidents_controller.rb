# frozen_string_literal: true

# What goes wrong on request: the process that has started this one does it, see supervisor.rb.
class AccidentsController < ApplicationController
  SIGNALS = { "worker" => :USR1, "connection" => :USR2 }.freeze

  def create
    Process.kill(SIGNALS.fetch(params.require(:kind)), Integer(ENV.fetch("DEMO_SUPERVISOR")))
    head :accepted
  end
end
