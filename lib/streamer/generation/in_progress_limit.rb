# frozen_string_literal: true

module Streamer
  module Generation
    # At most so many generations in progress. What counts is not a counter, which a killed process would leave wrong, but who is queued, or
    # has a lease that runs, at that moment; and whoever counts has locked the scope's row, so that nobody else counts meanwhile.
    class InProgressLimit # :nodoc:
      def initialize(count, per)
        @count = count
        @per = per
      end

      # In the transaction that makes the generation.
      def admit(generation)
        owner = @per && generation.public_send(@per)
        Scope.lock(name(generation, owner))
        raise LimitReachedError.new(@count, @per) if others(generation, owner).size >= @count
      end

      private

      def name(generation, owner)
        [generation.class.base_class.name, @per, owner.respond_to?(:id) ? owner.id : owner].compact.join("/")
      end

      def others(generation, owner)
        scope = generation.class.unscoped.in_progress
        scope = scope.where(@per => owner) if @per
        waiting, begun = scope.pluck(:log_key, :created_at).partition { |_, created_at| created_at > generation.queue_deadline.seconds.ago }
        heads = Log.store.heads((waiting + begun).map(&:first))
        heads.values.select { |head| head.open? && (head.leased? || (head.queued? && waiting.any? { |key, _| key == head.key })) } +
          waiting.reject { |key, _| heads.key?(key) } # committed a moment ago
      end
    end
  end
end
