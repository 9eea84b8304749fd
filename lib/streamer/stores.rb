# frozen_string_literal: true

module Streamer
  # Where logs are kept. A store is anything with these methods; Streamer::Testing::StoreConformance says what each has to do, and the
  # rules are in docs/stores.md. They may be called from any thread or fiber, and block. Times are the store's own.
  #
  #   create(key)                                 true, or false when it is there already
  #   heads(keys)                                 { key => Log::Head } of those that are there
  #   claim(key, owner:, lease:, mode: "reset")   the Head of a new attempt; nil when another one's lease runs, and for a closed or unknown log
  #   append(appends)                             for each Log::Append nil when it is stored, or the Head that did not fit it
  #   renew({ key => epoch }, owner:, lease:)     { key => Head } of all of them, after those that are still the owner's were renewed
  #   release(key, epoch:, owner:)                gives the lease back: another may claim at once
  #   stop(key, epoch:)                           asks this attempt to stop; the Head, or nil for an unknown log
  #   read({ key => position }, limit: 500)       { key => [Log::Batch] } of what is behind the positions, at most so many batches each
  #   text(key)                                   the Pieces of the text so far, in order
  #   overdue(limit: 100)                         keys of open logs whose lease is over
  #   expired(age:, limit: 100)                   keys of logs that were closed more than so many seconds ago and still have entries
  #   prune(key, through:)                        deletes entries, none that is not in a piece, and never the last; the Head
  #   delete(keys)                                removes logs
  #   wake(keys)                                  says that there is news, to this process and others; may be lost; does not raise
  #   watch { |keys or nil| }                     calls the block with the keys that may have news, nil for any; has `close` and `interval`:
  #                                               how many seconds may pass before somebody looks without having been told
  #
  # and, if it likes, announces?                  whether append has told of what it stored by itself, so that nobody needs to `wake`
  #
  # Whoever cannot reach its database raises StoreUnavailableError; the caller cannot know then whether it happened.
  module Stores
    autoload :ActiveRecord, "streamer/stores/active_record"
    autoload :Memory, "streamer/stores/memory"
    autoload :Redis, "streamer/stores/redis"
    autoload :Watches, "streamer/stores/watches"
  end
end
