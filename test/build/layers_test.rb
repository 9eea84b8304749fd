# frozen_string_literal: true

require "test_helper"
require "tsort"

# docs/architecture.md, "Layers": a layer includes the layers nearer the core, never one farther out.
class LayersTest < Minitest::Test
  ROOT = File.expand_path("../../ext/streamer", __dir__)

  # What a layer may include besides C, POSIX and itself.
  LAYERS = {
    "core" => [],
    "loop" => %w[core],
    "upstream" => %w[core loop],
    "sink" => %w[core loop],
    "relay" => %w[core loop upstream sink],
    "binding" => %w[core loop upstream sink relay]
  }.freeze

  # Who alone may use a library: what its names look like, and the files they are in.
  OWNERS = {
    "Ruby" => [/\b(?:rb_\w+|VALUE)\b/, %r{\Abinding/}],
    "libcurl's handles" => [/\bcurl_(?:easy|multi)_\w+\(/, %r{\Aupstream/(?:connector|connection)\.c\z}],
    "nghttp2" => [/\bnghttp2_\w+/, %r{\Aupstream/http2\w*\.[ch]\z}],
    "yajl" => [/\byajl_\w+/, %r{\Acore/(?:extract\.c|arena\.[ch])\z}],
    "epoll and kqueue" => [/\b(?:epoll_\w+|kevent)\(/, %r{\Aloop/poller_(?:epoll|kqueue)\.c\z}],
    "threads" => [/\bpthread_create\(/, %r{\Arelay/thread\.c\z}],
    "Streamer's errors" => [/\brb_exc_raise\(streamer_|\bstreamer_error_(?:of|for)\(/, %r{\Abinding/}],
    "waiting without the GVL" => [/\brb_(?:nogvl|thread_call_without_gvl\w*)\(/, %r{\Abinding/await\.c\z}]
  }.freeze

  # Files that are one unit in parts, each part with a header of its own. What is not here must not include each other.
  PARTS = [
    %w[upstream/http2 upstream/http2_internal],
    # A pool makes connections of both protocols, and a connection tells its pool of its end.
    %w[upstream/pool upstream/connection upstream/connector upstream/http1 upstream/http2_connection],
    %w[upstream/transfer upstream/group], # a list, and what stands on it
    %w[sink/fanout sink/follower sink/fanout_internal], # a list, and what stands on it
    %w[relay/relay relay/mailbox], # a list, and what stands on it
    %w[binding/await binding/scheduler], # waiting in a thread and in a fiber
    %w[core/decode core/decoder] # the interface for callers and for the formats
  ].freeze

  INCLUDE = /^\s*#\s*include\s+"([^"]+)"/
  COMMENT = %r{/\*.*?\*/}m

  LAYERS.each do |layer, nearer|
    define_method("test_#{layer}_includes_nothing_from_farther_out") do
      files = sources.keys.grep(%r{\A#{layer}/})
      refute_empty files
      files.each do |file|
        includes(file).each { |header| assert_includes [layer, *nearer], header[/\A\w+/], "#{file} includes #{header}" }
      end
    end
  end

  OWNERS.each do |name, (pattern, places)|
    define_method("test_#{name.downcase.gsub(/\W+/, "_")}_stay_where_they_belong") do
      users = sources.filter_map { |file, text| file if text.gsub(COMMENT, "").match?(pattern) }
      refute_empty users unless name == "Streamer's errors"
      assert_empty users.grep_v(places)
    end
  end

  # A unit is a header and its source: who wants to understand one needs no other that needs it in turn.
  def test_no_two_units_include_each_other
    units = sources.keys.group_by { |file| file.delete_suffix(File.extname(file)) }
    graph = units.to_h { |unit, files| [unit, files.flat_map { |file| includes(file) }.map { |header| header.delete_suffix(".h") }.uniq - [unit]] }
    circles = strongly_connected(graph).select { |members| members.size > 1 && PARTS.none? { |parts| (members - parts).empty? } }
    assert_empty circles, "circles of files: #{circles.inspect}"
  end

  def test_headers_include_no_header_that_includes_them
    graph = sources.keys.grep(/\.h\z/).to_h { |file| [file, includes(file)] }
    assert_empty(strongly_connected(graph).select { |members| members.size > 1 })
  end

  def test_every_layer_is_known
    assert_equal LAYERS.keys.sort, Dir["#{ROOT}/*/*.c"].map { |path| File.basename(File.dirname(path)) }.uniq.sort
  end

  def test_source_names_are_unique_since_their_objects_share_one_directory
    names = sources.keys.grep(/\.c\z/).map { |path| File.basename(path) }
    assert_equal names.uniq, names
  end

  private

  # "layer/file" => text
  def sources
    @sources ||= Dir["#{ROOT}/*/*.{c,h}"].to_h { |path| [path.delete_prefix("#{ROOT}/"), File.read(path)] }
  end

  # The project's own headers that a file includes, as "layer/file".
  def includes(file)
    sources.fetch(file).scan(INCLUDE).flatten.map do |header|
      relative = File.expand_path(header, "/#{File.dirname(file)}").delete_prefix("/")
      sources.key?(relative) ? relative : header
    end
  end

  def strongly_connected(graph)
    TSort.strongly_connected_components(graph.method(:each_key), ->(node, &block) { graph.fetch(node, []).each(&block) })
  end
end
