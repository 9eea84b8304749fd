# frozen_string_literal: true

module Streamer
  module Generation
    # At most so many generations in progress. What counts is not a counter, which a killed process would leave wrong, but who is queued, or
    # has a lease that runs, at that moment; and whoever counts has locked the scope's row, so that nobody else counts meanwhile.
    class InProgressLimit # :nodoc:
      # count: how many; per: the attribute or association in which they are counted, nil for all together. queue: what comes beyond them waits
      # its turn, true, or as many as that. interrupt: it ends the oldest, and waits for that. The block gives the models that are counted; name:
      # what these are called.
      def initialize(count, per: nil, queue: nil, interrupt: false, name: nil, &models)
        raise ArgumentError, "the limit is at least 1; got #{count.inspect}" unless count.is_a?(Integer) && count.positive?
        raise ArgumentError, "a limit has queue: or interrupt:, not both" if queue && interrupt

        @count = count
        @per = per
        @queue = queue == true ? Float::INFINITY : queue
        @interrupt = interrupt
        @name = name
        @models = models
      end

      # Whether the generation is one of those that are counted.
      def concerns?(generation) = models.any? { |model| generation.is_a?(model) }

      # Whether somebody may wait for a turn.
      def turns? = @interrupt || !@queue.nil?

      # In the transaction that makes a generation, or gives it its turn; before anything is read in it.
      def lock(generation)
        Scope.lock(generation.class, [@name, @per, *key(generation)].compact.join("/"))
      end

      # Whether the generation may begin now: nil; what is to be stopped for it, an Array, where it has to wait. Raises LimitReachedError.
      def admit(generation)
        waiting = turns? ? waiting(generation) : []
        active = active(generation)
        return if active.size < @count && waiting.empty?
        return [] if @queue && waiting.size < @queue
        raise LimitReachedError.new(@count, @per) unless @interrupt

        others = (active + waiting).sort_by(&:created_at)
        others.first(others.size + 1 - @count)
      end

      # Whether there is a slot for one that waits.
      def room?(generation) = active(generation).size < @count

      # Those that wait for the generation's slot, the oldest first.
      def waiting(generation)
        all(generation).flat_map { |scope| scope.where(phase: "waiting").to_a }.sort_by { |other| [other.created_at, other.id.to_s.rjust(36)] }
      end

      private

      def models = @models.call.select { |model| @per.nil? || model.reflect_on_association(@per) || model.has_attribute?(@per) }

      # Without a look at the owner: on SQLite a transaction that has read before it writes is refused instead of waiting for others.
      def key(generation)
        return unless @per

        owner = generation.class.reflect_on_association(@per) or return generation.public_send(@per)
        [*owner.foreign_type, *owner.foreign_key].map { |column| generation[column] }
      end

      def all(generation)
        condition = @per ? { @per => generation.public_send(@per) } : {}
        models.map { |model| model.unscoped.in_progress.where(condition) }
      end

      # Of the others: who has a lease, and who is queued, for the first time or again, and not for too long. One whose log is not in the store
      # yet was made a moment ago.
      def active(generation)
        others = all(generation).flat_map { |scope| scope.where(phase: nil).or(scope.where.not(phase: "waiting")).to_a } - [generation]
        heads = Log.store.heads(others.map(&:log_key))
        others.select do |other|
          head = heads[other.log_key]
          head.nil? || head.leased? || (head.open? && head.owner.nil? && other.updated_at > other.queue_deadline.seconds.ago)
        end
      end
    end
  end
end
