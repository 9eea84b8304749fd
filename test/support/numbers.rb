# frozen_string_literal: true

# The part of README.md between the `numbers` comments, made from benchmark/results.md: never a figure of our own.
#
#   Numbers.text(results)   # => Markdown
#   UPDATE_NUMBERS=1 bin/test test/docs/readme_test.rb   # puts it into README.md after bin/bench relay --only readme
module Numbers
  REGION = %r{(?<=support/numbers.rb -->\n).*?(?=<!-- /numbers -->)}m

  # Section, what its table's caption begins with, and the columns to show: what costs https first.
  TABLES = [
    ["relay: steady", "200 × 400 tokens", ["", "upstream", "p50 ms", "p99 ms", "CPU us/token", "CPU against nginx"]],
    ["relay: applications", "10 × 100 tokens", ["", "upstream", "p50 ms", "p99 ms", "first token ms", "CPU us/token"]],
    ["relay: busy", "10 × 100 tokens", ["", "upstream", "p50 ms", "p99 ms"]],
    ["pipeline", "A chat", ["", "ns/event", "objects/event", "CPU against ours"]]
  ].freeze

  # Whose environment is told.
  MAIN = "relay: steady"

  Missing = Class.new(StandardError)

  GEMS = /(?:rails|puma|falcon|async-http) [\d.]+/

  class << self
    def text(results)
      sections = sections_of(results)
      tables = TABLES.flat_map do |stage, beginning, columns|
        caption, rows = tables_of(section(sections, stage)).find { |found, _| found.start_with?(beginning) }
        [caption, choose(rows, columns)]
      end
      [opening(section(sections, MAIN)), *tables, targets(sections.values)].join("\n\n").concat("\n")
    end

    private

    def sections_of(results)
      results.split(/^## /).drop(1).to_h { |section| section.split("\n", 2).map(&:strip) }
    end

    def section(sections, title)
      sections.fetch(title) do
        raise Missing, "benchmark/results.md has no section #{title}: bin/bench pipeline and bin/bench relay --only readme make them"
      end
    end

    # [[caption, [[cell, ...], ...]], ...]; the caption is the paragraph in front.
    def tables_of(section)
      section.split("\n\n").each_cons(2).filter_map do |caption, table|
        [caption, table.lines.map { |row| cells(row) }] if table.start_with?("|")
      end
    end

    def cells(row) = row.strip.delete_prefix("|").delete_suffix("|").split("|", -1).map(&:strip)

    def choose(rows, columns)
      chosen = columns.map { |column| rows.first.index(column) }
      rows.map { |row| "| #{row.values_at(*chosen).join(" | ")} |" }.join("\n")
    end

    def opening(section)
      facts = section.scan(/^- ([\w ]+): (.+)$/).to_h
      "From [benchmark/results.md](benchmark/results.md), which `bin/bench` writes after checking that all contenders give " \
        "the same output.\n#{facts["date"]}, #{facts["processor"]}, #{facts["ruby"][/\Aruby [\d.]+/]}, " \
        "libcurl #{facts["libcurl"]}, nghttp2 #{facts["nghttp2"]}, OpenSSL #{facts["openssl"][/\A[\d.]+/]}, " \
        "#{facts["gems"].scan(GEMS).join(", ")}.\nThe upstreams speak TLS 1.3 where they are https. Compare ratios, not numbers from two machines."
    end

    # What the design asks for, and is not so.
    def targets(sections)
      rows = sections.flat_map { |section| tables_of(section).select { |caption, _| caption.start_with?("What the design") } }
                     .flat_map { |_, table| table.drop(2) }
      missed = rows.reject { |row| row.last == "reached" }
      reached = "Of the #{rows.size} targets that the design sets, #{rows.size - missed.size} were reached"
      return "#{reached}." if missed.empty?

      "#{reached}. These were not:\n\n| | wanted | found |\n| --- | ---: | ---: |\n" +
        missed.map { |row| "| #{row.first(3).join(" | ")} |" }.join("\n")
    end
  end
end
