# frozen_string_literal: true

module Streamer
  module Stores
    class Redis
      # Tells what passes (the server cannot be reached, or takes no writes now) from what somebody has to mend in the application.
      module Failure # :nodoc:
        ADVICE = {
          "READONLY" => "it is a replica and takes no writes: after a failover clients find the new primary by Sentinel or a cluster",
          "MASTERDOWN" => "it is a replica that has lost its primary",
          "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write asks for, and takes no writes",
          "LOADING" => "it has just started and is still loading its data",
          "BUSY" => "a script has been running for too long: end it with SCRIPT KILL, and look for whose it is",
          "OOM" => "it has reached maxmemory and takes no more: raise maxmemory, or shorten retention: and result_retention:",
          "MISCONF" => "it cannot save to disk and takes no writes: look at its log and at the disk",
          "CLUSTERDOWN" => "the cluster is down, or some of its slots have no node",
          "TRYAGAIN" => "the cluster is moving the log's slot to another node",
          "MOVED" => "the cluster has moved the log's slot to another node", "ASK" => "the cluster is moving the log's slot to another node"
        }.freeze
        FULL = /max number of clients/
        private_constant :ADVICE, :FULL

        class << self
          # Raises a StoreUnavailableError for what passes; any other error stays what it is.
          def guard
            yield
          rescue ::RedisClient::Error => error
            raise translate(error)
          end

          # The error that it is for an application.
          def translate(error)
            return error unless passing?(error)

            StoreUnavailableError.new("Redis did not do it, or its answer was lost: #{error.message}#{advice(error)}").tap do |unavailable|
              unavailable.set_backtrace(error.backtrace || caller)
            end
          end

          private

          def passing?(error)
            case error
            when ::RedisClient::ConnectionError, ::RedisClient::ProtocolError then true
            when ::RedisClient::CommandError then passing_command?(error)
            else cluster?(error)
            end
          end

          # A client of one server that is told to ask another is not meant for a cluster.
          def passing_command?(error)
            return false if %w[MOVED ASK].include?(error.code) && !defined?(::RedisClient::Cluster)

            ADVICE.key?(error.code) || error.message.match?(FULL)
          end

          def cluster?(error)
            return false unless defined?(::RedisClient::Cluster)

            case error
            when ::RedisClient::Cluster::ErrorCollection then error.errors.any? && error.errors.each_value.all? { |one| passing?(one) }
            when ::RedisClient::Cluster::InitialSetupError, ::RedisClient::Cluster::NodeMightBeDown then true
            else false
            end
          end

          def advice(error)
            advice = ADVICE[error.code] if error.respond_to?(:code)
            ": #{advice}" if advice
          end
        end
      end
    end
  end
end
