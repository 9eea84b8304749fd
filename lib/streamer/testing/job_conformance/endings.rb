# frozen_string_literal: true

module Streamer
  module Testing
    module JobConformance
      # What becomes of a worker's generations when it ends.
      module Endings # :nodoc:
        # Seconds from the end of a lease to the next look at it.
        LOOK = 5
        private_constant :LOOK

        def test_a_worker_that_is_told_to_end_leaves_a_silent_upstream_and_another_begins_at_once
          first = worker
          id, path = begun(silent)
          request = asked(path)
          stopping = Thread.new { first.stop }
          gone = request.wait_gone
          worker
          stopping.join

          assert gone, "the upstream's connection is closed"
          assert_equal ["completed", WHOLE, %w[interrupted completed]], ended(id).to_h.values_at(:status, :content, :outcomes)
        end

        def test_a_worker_that_is_told_to_end_keeps_what_was_delivered
          first = worker
          id, path = begun(halting)
          delivered(id, "t0 ")
          first.stop
          worker
          seen = ended(id)

          assert_equal ["failed", "t0 ", ["interrupted"]], [seen.status, seen.content, seen.outcomes]
          assert_equal 1, requests(path).size
        end

        def test_a_killed_worker_s_generation_is_begun_again_when_its_lease_is_over
          first = worker
          id, path = begun(silent)
          asked(path)
          first.kill
          worker
          asked(path, 2)

          assert_equal ["completed", WHOLE, %w[interrupted completed]], ended(id).to_h.values_at(:status, :content, :outcomes)
        end

        def test_a_killed_worker_s_text_is_kept
          first = worker
          id, path = begun(halting)
          delivered(id, "t0 ")
          first.kill
          worker
          seen = ended(id, within: lease + LOOK + patience)

          assert_equal ["failed", "t0 ", ["interrupted"]], [seen.status, seen.content, seen.outcomes]
          assert_equal 1, requests(path).size
        end
      end
    end
  end
end
