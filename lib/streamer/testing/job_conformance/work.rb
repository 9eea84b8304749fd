# frozen_string_literal: true

module Streamer
  module Testing
    module JobConformance
      # What jobs do while all is well.
      module Work # :nodoc:
        def test_a_job_streams_its_generation_to_the_end
          worker
          id, path = begun
          seen = ended(id)

          assert_equal ["completed", WHOLE, WHOLE, ["completed"]], [seen.status, seen.content, seen.text, seen.outcomes]
          assert_equal 1, requests(path).size
        end

        def test_of_two_deliveries_at_once_one_asks_the_upstream
          worker
          go = Queue.new
          id, path = begun(lambda do |exchange|
            exchange.head.chunk(Upstream.token(0))
            go.pop
            exchange.chunk(Upstream.token(1)).chunk("data: [DONE]\n\n").finish
          end)
          delivered(id, "t0 ")
          2.times { deliver(id) }
          assert_quiet(id, path)
          go << true

          assert_equal ["completed", "t0 t1 ", ["completed"]], ended(id).to_h.values_at(:status, :content, :outcomes)
          assert_equal 1, requests(path).size
        end

        def test_a_delivery_after_the_end_asks_nobody
          worker
          id, path = begun
          ended(id)
          deliver(id)

          assert_quiet(id, path)
          assert_equal 1, requests(path).size
        end

        def test_what_may_pass_is_tried_again_later
          worker
          id, path = begun(->(exchange) { exchange.answer("busy", status: 503) })
          seen = ended(id)

          assert_equal ["completed", WHOLE, %w[failed completed]], [seen.status, seen.content, seen.outcomes]
          assert_equal 2, requests(path).size
        end

        def test_a_stop_reaches_a_silent_upstream
          worker
          id, path = begun(halting)
          delivered(id, "t0 ")
          cancel(id)

          assert asked(path).wait_gone, "the upstream's connection is closed"
          assert_equal ["cancelled", "t0 ", ["cancelled"]], ended(id).to_h.values_at(:status, :content, :outcomes)
        end

        def test_more_generations_wait_at_once_than_there_are_database_connections
          return unless width

          worker
          go = Queue.new
          all = Array.new(width) { begun(->(exchange) { go.pop && exchange.openai(tokens: 3) }) }
          all.to_h.each_value { |path| asked(path) }
          width.times { go << true }

          assert_equal [["completed", WHOLE]], all.map { |id, _| ended(id).to_h.values_at(:status, :content) }.uniq
        end
      end
    end
  end
end
