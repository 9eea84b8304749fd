# frozen_string_literal: true

module Streamer
  module Testing
    class Upstream
      # The same server in a process of its own, so that it neither shares nor waits for the test's GVL. It ends with `stop`, and with
      # the process that started it. It remembers nothing for the test.
      def self.in_process(**options, &script)
        url_reader, url_writer = IO.pipe
        life_reader, life_writer = IO.pipe
        pid = fork do
          life_writer.close
          url_writer.puts(new(**options, &script).url)
          without_scheduler { life_reader.read(1) }
        ensure
          exit!(0)
        end
        [url_writer, life_reader].each(&:close)
        Child.new(pid, without_scheduler { url_reader.gets.chomp }, life_writer)
      ensure
        url_reader&.close
      end

      Child = Struct.new(:pid, :base, :life) do
        def url(path = "") = "#{base}#{path}"

        def stop
          life.write(".") # closing would not do: children that were started later have it, too
          life.close
          Process.wait(pid)
        end
      end
    end
  end
end
