# frozen_string_literal: true

module GenerationSoak
  # The upstream, which remembers what it has said, to whom and in which request. It is cut at a random event where `cuts` says so.
  class Answers
    EVENTS = 40
    EVERY = 0.1

    # Seconds that an answer takes.
    SECONDS = EVENTS * EVERY

    # Of one request: what was said, and whether that was all.
    Said = Struct.new(:text, :whole)

    attr_writer :cuts

    def initialize
      @said = Hash.new { |all, path| all[path] = [] }
      @lock = Mutex.new
      @upstream = Streamer::Testing::Upstream.new { |exchange| answer(exchange) }
    end

    def url(name) = @upstream.url("/#{name}")

    # What was said under a name, request by request.
    def of(name) = @lock.synchronize { @said["/#{name}"].dup }

    private

    def answer(exchange)
      said = Said.new(+"", false)
      number = @lock.synchronize { (@said[exchange.request.path] << said).size }
      cut = @cuts&.call
      exchange.head
      EVENTS.times do |index|
        return exchange.close if index == cut

        say(exchange, said, "#{number}.#{index}é ")
      end
      said.whole = true # before it is sent, too
      exchange.chunk("data: [DONE]\n\n").finish
    end

    def say(exchange, said, text)
      said.text << text # before it is sent: a reader that has it must find it here
      exchange.chunk(Streamer::Testing::Upstream.token(0, text)).pause(EVERY)
    end
  end
end
