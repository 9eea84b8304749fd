# frozen_string_literal: true

# A stream_events block runs in a thread of Puma's until it ends, so there can be as many open streams as threads.
threads 4, 64

# Ctrl-C does not wait for a log that never ends.
force_shutdown_after 1
