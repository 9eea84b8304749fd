# frozen_string_literal: true

# One client for the whole process: its connections are kept alive and shared by all threads and fibers.
# The timeouts are short so that "the upstream stalls" on the answer page does not take a minute to show.
UPSTREAM = Streamer::Client.new(ENV.fetch("UPSTREAM_URL"), timeouts: { connect: 2, first_event: 5, idle: 5 })
