# frozen_string_literal: true

require "ripper"

# Shows a method of this application on the page that it drives. Read from the file at each request, so what the page says
# is what the server runs.
module SourceHelper
  # Ripper's names of tokens, and the classes they get.
  COLOURS = {
    on_kw: "kw", on_const: "const", on_ivar: "var", on_comment: "comment", on_label: "sym", on_symbeg: "sym",
    on_tstring_beg: "str", on_tstring_content: "str", on_tstring_end: "str", on_int: "num", on_float: "num"
  }.freeze

  def method_source(controller, action)
    file, first = controller.instance_method(action).source_location
    lines = File.readlines(file).drop(first - 1)
    indent = lines.first[/\A */]
    method = lines.take(lines.index { |line| line.chomp == "#{indent}end" } + 1)
    highlight_ruby(method.map { |line| line.delete_prefix(indent) }.join)
  end

  def highlight_ruby(source)
    safe_join(Ripper.lex(source).map do |_, token, text|
      COLOURS.key?(token) ? tag.span(text, class: COLOURS[token]) : text
    end)
  end
end
