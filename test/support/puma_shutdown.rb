# frozen_string_literal: true

require "puma"
require "puma/server"

# Puma 8.0.2 may wait for ever when it is told to end: its server closes a pipe while another thread is within Ruby's own write to it (puma#3677).
# Here that write is a bare system call, as in the version behind it (puma#3940).
if Puma::Const::PUMA_VERSION == "8.0.2"
  Puma::Server.prepend(Module.new do
    private

    def notify_safely(message)
      @notify.syswrite(message)
    rescue IOError, NoMethodError, SystemCallError
      nil # it is ending already
    end
  end)
end
