# frozen_string_literal: true

module Bench
  # What the stages found: text and tables, on the terminal as they come and for results.md, and the targets that the
  # design sets.
  class Report
    Target = Struct.new(:section, :what, :wanted, :found, :reached, keyword_init: true) do
      def row = [what, wanted, found, reached ? "reached" : "missed"]
    end

    TARGET_COLUMNS = ["", "wanted", "found", ""].freeze

    # title => [text, ...], in Markdown
    attr_reader :sections

    # title => the exception that ended it
    attr_reader :failures

    def initialize(out = $stdout)
      @out = out
      @sections = {}
      @failures = {}
      @targets = []
    end

    # What follows belongs to it. `note` says what is measured.
    def section(title, note = nil)
      @title = title
      @sections[title] = []
      @out.puts "", "== #{title}"
      self.note(note) if note
    end

    # The section that was begun last is left out, and its targets.
    def fail_section(error)
      @failures[@title] = error
      @sections.delete(@title)
      @targets.reject! { |target| target.section == @title }
      progress("FAILED: #{error.message}")
    end

    def progress(text) = @out.puts("   #{text}")

    def note(text)
      @sections[@title] << text
      @out.puts "", text
    end

    # rows: Arrays of Strings. The first column is text, the others are numbers.
    def table(columns, rows)
      @sections[@title] << markdown(columns, rows)
      print_table(columns, rows)
    end

    # Results of a Contest, each with its ratio to `ours`.
    def contest(results, ours)
      base = results.find { |result| result.name == ours }
      table(["", "ns/event", "MB/s", "objects/event", "CPU against ours"],
            results.map do |result|
              [result.name, number(result.ns), number(result.rate), number(result.objects), ratio(result.ns / base.ns)]
            end)
    end

    # wanted: ">= 25" or "<= 2"; found: a number in the same unit.
    def target(what, wanted, found, unit = "")
      operator, limit = wanted.split
      @targets << Target.new(section: @title, what: what, wanted: "#{wanted} #{unit}".strip,
                             found: "#{number(found)} #{unit}".strip, reached: found.public_send(operator, Float(limit)))
    end

    # After everything: the targets once more, together and in their sections.
    def finish
      return if @targets.empty?

      @out.puts "", "== what the design asks for", ""
      print_table(TARGET_COLUMNS, @targets.map(&:row))
      @targets.group_by(&:section).each do |title, targets|
        @sections[title].push("What the design asks for:", markdown(TARGET_COLUMNS, targets.map(&:row)))
      end
    end

    # Three significant digits, thousands apart; a dash for nil.
    def number(value)
      return "–" if value.nil?

      decimals = { 100 => 0, 10 => 1, 0.1 => 2, 0.01 => 3 }.find { |least, _| value.abs >= least }&.last || (value.zero? ? 0 : 4)
      format("%.*f", decimals, value).sub(/\A-?\d+/) { |whole| whole.gsub(/\B(?=(\d{3})+\z)/, ",") }
    end

    def ratio(value) = value.nil? ? "–" : "#{number(value)} ×"

    private

    def markdown(columns, rows)
      rule = ["---", *Array.new(columns.size - 1, "---:")]
      [columns, rule, *rows].map { |row| "| #{row.join(" | ")} |" }.join("\n")
    end

    def print_table(columns, rows)
      widths = columns.each_index.map { |index| [columns, *rows].map { |row| row[index].length }.max }
      [columns, *rows].each do |row|
        cells = row.each_with_index.map { |cell, index| index.zero? ? cell.ljust(widths[0]) : cell.rjust(widths[index]) }
        @out.puts "   #{cells.join("  ")}"
      end
    end
  end
end
