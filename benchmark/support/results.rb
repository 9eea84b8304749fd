# frozen_string_literal: true

module Bench
  # benchmark/results.md: a section for each stage, or for each of a stage's parts, of which a run replaces those that it measured.
  class Results
    PATH = File.expand_path("../results.md", __dir__)

    PREAMBLE = <<~TEXT
      # Results

      Written by `bin/bench`, which measures everything on this page anew; `bin/bench STAGE` replaces that stage's sections,
      `bin/bench STAGE --only PART` one of them. Every table is one run: its rows were measured in turns, and their output was
      compared first. Compare ratios, not numbers from two machines.
    TEXT

    # titles: those of all sections, in their order. Sections that a run does not measure stay; those without a title here go.
    def initialize(titles, path = PATH)
      @titles = titles
      @path = path
    end

    # environment: rows of Environment; command: what was typed; report: a Report.
    def write(command, environment, report)
      sections = read
      report.sections.each { |title, parts| sections[title] = [*parts, made_by(command, environment)].join("\n\n") }
      sections = @titles.filter_map { |title| [title, sections[title]] if sections.key?(title) }
      File.write(@path, [PREAMBLE, *sections.map { |title, text| "## #{title}\n\n#{text}\n" }].join("\n"))
    end

    private

    def read
      return {} unless File.exist?(@path)

      File.read(@path).split(/^## /).drop(1).to_h { |section| section.split("\n", 2).map(&:strip) }
    end

    def made_by(command, environment)
      "<details><summary>`#{command}`</summary>\n\n" \
        "#{environment.map { |name, value| "- #{name}: #{value}" }.join("\n")}\n\n</details>"
    end
  end
end
