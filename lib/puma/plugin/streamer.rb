# frozen_string_literal: true

require "puma/plugin"

# In config/puma.rb:
#
#   plugin :streamer
#
# Tells the browsers of open relay_events streams as soon as Puma begins to stop, in every worker, and lets the streams finish within
# config.streamer.drain_timeout while Puma finishes its requests. Without it that begins when Puma has ended. At a hot restart in single mode, where
# no exit handler runs, it is the only one who tells them.
Puma::Plugin.create do
  def start(launcher)
    launcher.events.register(:state) { |state| Thread.new { drain } if state == :stop }

    # Puma 6 has the first name, 7 and later the second.
    %i[on_restart before_restart].each { |hook| launcher.events.register(hook) { drain } }
  end

  private

  # The application, and with it the library, may be loaded in the workers only.
  def drain
    Streamer::Relay::Registry.drain if defined?(Streamer::Relay::Registry)
  end
end
