# frozen_string_literal: true

require "test_helper"

# docs/architecture.md: a layer may include the layers nearer the core, never one farther out.
class LayersTest < Minitest::Test
  ROOT = File.expand_path("../../ext/streamer", __dir__)
  LAYERS = %w[core upstream relay binding].freeze
  FOREIGN = { "core" => /ruby|curl/, "upstream" => /ruby/, "relay" => /ruby/ }.freeze
  INCLUDE = /^\s*#\s*include\s+[<"]([^>"]+)[>"]/

  LAYERS.each_with_index do |layer, distance|
    define_method("test_#{layer}_includes_nothing_from_farther_out") do
      outside = LAYERS.drop(distance + 1)
      each_include(layer) do |file, header|
        refute_includes outside, header.split("/").grep_v("..").first, "#{file} includes #{header}"
      end
    end
  end

  FOREIGN.each do |layer, libraries|
    define_method("test_#{layer}_includes_no_library_that_belongs_farther_out") do
      each_include(layer) { |file, header| refute_match libraries, header, "#{file} includes #{header}" }
    end
  end

  def test_source_names_are_unique_since_their_objects_share_one_directory
    names = Dir["#{ROOT}/{#{LAYERS.join(",")}}/*.c"].map { |path| File.basename(path) }
    assert_equal names.uniq, names
  end

  private

  def each_include(layer)
    files = Dir["#{ROOT}/#{layer}/*.{c,h}"]
    refute_empty files
    files.each do |file|
      File.foreach(file) do |line|
        header = line[INCLUDE, 1]
        yield file.delete_prefix("#{ROOT}/"), header if header
      end
    end
  end
end
