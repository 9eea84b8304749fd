# frozen_string_literal: true

module Streamer
  class Log
    # config.streamer.log of a Rails application: where its logs are, and for how long.
    class Settings # :nodoc:
      # Names of config.active_job.queue_adapter whose jobs run in the process that enqueues them.
      IN_PROCESS = %i[async inline test].freeze
      NAMES = %i[store connects_to listen_url redis retention lease].freeze
      private_constant :IN_PROCESS

      # options: a Hash, see Railtie. queue_adapter: the application's, a name or an object; environment: of the process.
      def initialize(options, queue_adapter: nil, environment: ENV)
        @options = options.to_h
        @queue_adapter = queue_adapter
        @environment = environment
        check_names
      end

      # Sets Log.store, Log.retention and Log.lease. Raises ArgumentError.
      def apply
        Log.retention = seconds(:retention, Log.retention, 0, "such as 3600 or 1.hour")
        Log.lease = seconds(:lease, Log.lease, 1, "1 at least, such as 30")
        Log.store = store
      end

      private

      def seconds(name, default, least, such)
        value = @options.fetch(name, default)
        return value.to_f if value.respond_to?(:to_f) && value.to_f >= least

        raise ArgumentError, "config.streamer.log.#{name} is #{value.inspect}; it takes seconds, #{such}"
      end

      def check_names
        unknown = @options.keys.map(&:to_sym) - NAMES
        return if unknown.empty?

        raise ArgumentError, "there is no config.streamer.log.#{unknown.first} (known: #{NAMES.join(", ")})"
      end

      def store
        case (name = @options[:store])
        when nil then nil
        when :memory then memory
        when :active_record then Stores::ActiveRecord.new(**@options.slice(:connects_to, :listen_url).compact)
        when :redis then Stores::Redis.new(retention: Log.retention, **@options.fetch(:redis, {}))
        when Symbol, String
          raise ArgumentError, "config.streamer.log.store is #{name.inspect}; it takes :active_record, :redis, :memory or a store"
        else name
        end
      end

      def memory
        reason = elsewhere
        return Stores::Memory.new unless reason

        raise ArgumentError, "config.streamer.log.store = :memory keeps logs in one process, but #{reason}: take :active_record or :redis"
      end

      # Why a process alone cannot do, or nil.
      def elsewhere
        workers = @environment["WEB_CONCURRENCY"].to_s
        return "WEB_CONCURRENCY is #{workers}" if workers == "auto" || workers.to_i > 1
        return "Puma runs #{puma_workers} workers" if puma_workers > 1

        "jobs run in processes of their own (config.active_job.queue_adapter is #{adapter_name.inspect})" unless jobs_here?
      end

      def puma_workers
        return 0 unless defined?(::Puma) && ::Puma.respond_to?(:cli_config) && ::Puma.cli_config

        ::Puma.cli_config.options[:workers].to_i
      end

      def jobs_here? = @queue_adapter.nil? || IN_PROCESS.include?(adapter_name)

      def adapter_name
        return @queue_adapter.to_sym if @queue_adapter.respond_to?(:to_sym)

        @queue_adapter.class.name.to_s[/(\w+?)(?:Adapter)?\z/, 1].gsub(/(?<=[a-z])(?=[A-Z])/, "_").downcase.to_sym
      end
    end
  end
end
