# frozen_string_literal: true

module Streamer
  module Transports
    # Runs the block. A Streamer::Error that it raises is raised as what `translation` makes of it. The block gets something to call the
    # library's or the application's code with: what that raises passes as it is, even if it is a Streamer::Error, such as the
    # BrowserDisconnectedError of a write to a browser.
    def self.translating(translation) # :nodoc:
      passing = nil
      theirs = lambda do |&code|
        code.call
      rescue Error => error
        passing = error
        raise
      end
      yield theirs
    rescue Error => error
      raise if error.equal?(passing)

      raise translation.call(error)
    end
  end
end
