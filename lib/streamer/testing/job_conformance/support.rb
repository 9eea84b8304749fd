# frozen_string_literal: true

module Streamer
  module Testing
    module JobConformance
      # A generation as it is at a moment: its record's columns, the text of its log, and the outcomes in its ledger, in order; nil for one that
      # is under way.
      Seen = Struct.new(:status, :phase, :content, :error, :text, :outcomes, keyword_init: true)

      # What the upstream says unless a test has it say something else.
      WHOLE = "t0 t1 t2 "
      private_constant :WHOLE

      # What the tests need: a worker, an upstream, and patience.
      module Support # :nodoc:
        # See JobConformance.

        def work = raise(NotImplementedError, "define work: begins a worker that has `stop` and `kill`")

        def generation_class = raise(NotImplementedError, "define generation_class: a model that includes Streamer::Generation")

        def start(url) = generation_class.start!(prompt: url).id

        def deliver(id) = generation_class.find(id).enqueue_streaming

        def cancel(id) = generation_class.find(id).stop!

        def look(id)
          generation = generation_class.find(id)
          Seen.new(**generation.attributes.slice("status", "phase", "content", "error").transform_keys(&:to_sym),
                   text: generation.log.text, outcomes: generation.upstream_requests.map(&:outcome))
        end

        def lease = 30

        def width = 10

        def patience = 60

        def teardown
          workers.each(&:kill)
          upstream.stop
          super
        end

        private

        def workers = @workers ||= []

        # Begins a worker that ends with the test.
        def worker = work.tap { |worker| workers << worker }

        def upstream = @upstream ||= Upstream.new { |exchange| exchange.openai(tokens: 3) }

        # Begins a generation whose first upstream requests are answered by the scripts, one after the other, and all others with three tokens.
        def begun(*scripts)
          path = "/#{SecureRandom.alphanumeric(8)}"
          upstream.on(path) { |exchange| (scripts.shift || ->(last) { last.openai(tokens: 3) }).call(exchange) }
          [start(upstream.url(path)), path]
        end

        def silent = ->(exchange) { exchange.stall }

        # One token, and then silence.
        def halting = ->(exchange) { exchange.head.chunk(Upstream.token(0)).stall }

        def requests(path) = upstream.requests.select { |request| request.path == path }

        # The request number `count` of a path.
        def asked(path, count = 1) = eventually("request #{count} of the upstream") { requests(path)[count - 1] }

        def ended(id, within: patience)
          eventually("the end of a generation", within) { look(id).then { |seen| seen if seen.status != "processing" } }
        end

        def delivered(id, text) = eventually("#{text.inspect} in the log") { look(id).text == text }

        def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

        # Until the block says true.
        def eventually(what, within = patience)
          deadline = now + within
          until (value = yield)
            flunk "#{what}: not within #{within} s" if now > deadline
            sleep 0.02
          end
          value
        end

        # Nothing more comes of it: no request, and no other state.
        def assert_quiet(id, path, seconds = 1)
          seen, count = look(id), requests(path).size
          sleep seconds
          assert_equal [seen, count], [look(id), requests(path).size]
        end
      end
    end
  end
end
