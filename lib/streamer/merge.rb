# frozen_string_literal: true

module Streamer
  # Several upstreams at once, results as they arrive.
  module Merge
    # Events that have arrived and wait for the block, over all sources.
    WAITING = 64

    class << self
      def call(sources, &block)
        arrived = Thread::SizedQueue.new(WAITING)
        workers = sources.map { |name, source| start { forward(name, source, arrived) } }
        deliver(arrived, workers.size, &block)
      ensure
        arrived&.close
        workers&.each { |worker| stop(worker) }
      end

      private

      def deliver(arrived, open)
        while open.positive?
          name, event, error = arrived.pop
          raise error if error

          event ? yield(name, event) : open -= 1
        end
      end

      def forward(name, source, arrived)
        response = source.respond_to?(:call) ? source.call : source
        if response.event_stream? || !response.success?
          response.each_event { |event| arrived.push([name, event]) }
        else
          arrived.push([name, Event.new(data: response.read)])
        end
        arrived.push([name, nil])
      rescue ClosedQueueError
        response&.cancel # the block is through
      rescue StandardError => error
        arrived.push([name, nil, error]) unless arrived.closed?
      end

      def start(&work)
        return Fiber.schedule(&work) if Fiber.current_scheduler

        Thread.new(&work).tap { |thread| thread.report_on_exception = false }
      end

      # A fiber ends at its next push; a thread may be waiting for its upstream.
      def stop(worker)
        worker.kill.join if worker.is_a?(Thread)
      end
    end
  end
  private_constant :Merge
end
