# frozen_string_literal: true

require "json"
require "securerandom"

module Streamer
  module Stores
    class ActiveRecord
      class PostgreSQL
        # The process's one LISTEN connection, opened, read and closed by its own thread, for as long as somebody watches. Whether notifications
        # arrive is tried at the start, and again whenever none has come for a while: a pooler that gives each transaction another connection
        # swallows them without a word. Where they do not arrive news is polled for.
        class Listener # :nodoc:
          # Seconds in which the listener's own notification has to come back; without any notification until it is tried again; between
          # attempts where they do not arrive; and before it connects again, from the first to the most.
          PROBE = 1.0
          QUIET = 15.0
          AGAIN = 60.0
          RETRY = (0.1..5.0)

          # The connection is there, and says nothing.
          Silent = Class.new(StandardError)

          # Of the process: a forked child must not tell the server that its parent goes.
          OPEN = ObjectSpace::WeakMap.new
          private_constant :Silent, :OPEN

          ActiveSupport::ForkTracker.after_fork do
            OPEN.each_value do |connection|
              connection.socket_io.reopen(IO::NULL)
            rescue StandardError
              nil # it was closed
            end
          end

          def initialize(store, payload)
            @store = store
            @payload = payload
            @poller = Poller.new(store, POLLING)
            @listening = false
          end

          # Whether notifications arrive.
          def listening? = @listening

          def start
            return if @thread&.alive?

            former = @former
            @poller.stop
            stopped, @stop = IO.pipe
            @thread = Thread.new do
              former&.join
              run(stopped)
            end
            @thread.name = "streamer PostgreSQL listener"
            @thread.report_on_exception = false
          end

          # A byte, since a child of the process may have the pipe open.
          def stop
            @stop&.write(".")
          rescue Errno::EPIPE
            nil # the thread has ended
          ensure
            @stop&.close
            @stop = nil
            @former = @thread
            @thread = nil
            @poller.stop
          end

          private

          # stopped: readable when it is to end.
          def run(stopped)
            delay = RETRY.begin
            until stopped?(stopped, 0)
              begin
                attempt(stopped) { delay = RETRY.begin }
              rescue ::PG::Error, Silent, StoreUnavailableError, SystemCallError, IOError
                poll
                stopped?(stopped, delay)
                delay = [delay * 2, RETRY.end].min
              end
            end
          rescue StandardError => error
            Streamer.report(error)
            poll
          ensure
            @poller.stop if stopped?(stopped, 0)
            stopped.close
          end

          def stopped?(stopped, seconds) = !stopped.wait_readable(seconds).nil?

          # Yields when notifications arrive; returns when it is stopped or to be tried again.
          def attempt(stopped)
            connection = connect
            if arrive?(connection)
              yield
              hear
              listen(connection, stopped)
            else
              complain
              poll
              finish(connection)
              stopped?(stopped, AGAIN)
            end
          ensure
            finish(connection) if connection
          end

          def connect
            connection = ::PG.connect(address)
            OPEN[connection] = connection
            connection.set_notice_processor { nil } # it would go to standard error
            connection.exec("LISTEN #{CHANNEL}")
            connection
          end

          def finish(connection)
            connection.finish unless connection.finished?
          rescue ::PG::Error
            nil
          end

          # The application's own, unless it names one that leads past its pooler.
          def address
            case (listen = @store.listen_url)
            when nil then options(@store.connections.configuration)
            when Symbol then options(named(listen))
            else listen.to_s.sub(/\Apostgis:/, "postgresql:")
            end
          end

          def named(name)
            environment = ::ActiveRecord::ConnectionHandling::DEFAULT_ENV.call
            ::ActiveRecord::Base.configurations.configs_for(env_name: environment, name: name.to_s) or
              raise ArgumentError, "listen_url names #{name.inspect}, which config/database.yml does not have for #{environment}"
          end

          def options(configuration)
            options = { connect_timeout: 5, **configuration.configuration_hash.compact }
            options[:user] = options.delete(:username) if options[:username]
            options[:dbname] = options.delete(:database) if options[:database]
            options.slice(*::PG::Connection.conndefaults_hash.keys, :requiressl)
          end

          # Sent on another connection: on its own one it would come back through any pooler.
          def arrive?(connection)
            probe = JSON.generate([SecureRandom.hex(6)])
            @store.connections.own(quiet: true) do |own|
              own.exec_query("SELECT pg_notify(#{own.quote(CHANNEL)}, #{own.quote(probe)})::text", "Streamer Listen")
            end
            deadline = Clock.now + PROBE
            until (left = deadline - Clock.now).negative?
              next unless connection.socket_io.wait_readable(left)

              payloads = receive(connection)
              tell(payloads - [probe])
              return true if payloads.include?(probe)
            end
            false
          end

          def listen(connection, stopped)
            loop do
              ready, = IO.select([connection.socket_io, stopped], nil, nil, QUIET)
              return if ready&.include?(stopped)

              if ready
                tell(receive(connection))
              elsif !arrive?(connection)
                raise Silent
              end
            end
          end

          def receive(connection)
            connection.consume_input
            payloads = []
            while (notification = connection.notifies)
              payloads << notification[:extra]
            end
            payloads
          end

          def tell(payloads)
            news = payloads.map { |payload| @payload.unpack(payload) } - [:own]
            return if news.empty?

            @store.watches.call(news.include?(nil) ? nil : news.flatten.uniq)
          end

          # Whatever came before is for the readers to find.
          def hear
            @listening = true
            @poller.stop
            @store.watches.call(nil)
          end

          def poll
            @listening = false
            @poller.start
          end

          def complain
            Instrumentation.publish("listen_unavailable", store: :postgresql, cause: "transaction-pooling proxy")
            return if @complained

            @complained = true
            ::ActiveRecord::Base.logger&.warn("streamer: PostgreSQL's notifications do not arrive on this connection, so news of logs is polled " \
                                              "for: most likely a proxy that pools transactions (PgBouncer) is in between. Name a direct " \
                                              "connection: config.streamer.log.listen_url")
          end
        end
      end
    end
  end
end
