# frozen_string_literal: true

require "test_helper"
require "open3"
require "rbconfig"
require "tmpdir"

class ExtconfTest < Minitest::Test
  EXTCONF = File.expand_path("../../ext/streamer/extconf.rb", __dir__)
  PACKAGES = %w[
    libcurl4-openssl-dev libssl-dev libnghttp2-dev libyajl-dev libcurl-devel openssl-devel libnghttp2-devel yajl-devel
    curl-dev openssl-dev nghttp2-dev yajl-dev curl\ openssl\ libnghttp2\ yajl
  ].freeze

  def test_without_libcurl_it_stops_with_one_sentence_that_names_the_packages
    error = refuse("yajl" => "2.1.0")
    assert_includes error, "streamer needs libcurl >= 7.88"
    PACKAGES.each { |package| assert_includes error, package }
    assert_equal 1, error.lines.size
  end

  def test_an_older_libcurl_is_as_good_as_none
    assert_includes refuse("libcurl" => "7.87.0", "yajl" => "2.1.0"), "streamer needs libcurl >= 7.88"
  end

  def test_without_yajl_it_stops_with_one_sentence_that_names_the_packages
    error = refuse("libcurl" => "7.88.1", "openssl" => "3.0.19", "libnghttp2" => "1.52.0")
    assert_includes error, "streamer needs yajl >= 2.1"
    assert_equal 1, error.lines.size
  end

  def test_without_nghttp2_it_stops_with_one_sentence_that_names_the_packages
    error = refuse("libcurl" => "7.88.1", "openssl" => "3.0.19", "yajl" => "2.1.0")
    assert_includes error, "streamer needs libnghttp2 >= 1.52"
    assert_equal 1, error.lines.size
  end

  def test_an_nghttp2_that_does_not_bound_continuation_frames_is_refused
    # A library of that name and version without the function that came with the fix.
    error = refuse("libcurl" => "7.88.1", "openssl" => "3.0.19", "libnghttp2" => "1.60.0", "yajl" => "2.1.0")
    assert_includes error, "CVE-2024-28182"
    assert_equal 1, error.lines.size
  end

  def test_an_unknown_sanitizer_is_refused
    _output, error, status = configure("STREAMER_SANITIZE" => "adress")
    refute_predicate status, :success?
    assert_equal "STREAMER_SANITIZE is one of address, thread.\n", error
  end

  private

  # What extconf.rb says where pkg-config knows only these libraries.
  def refuse(versions)
    Dir.mktmpdir do |directory|
      versions.each do |library, version|
        File.write("#{directory}/#{library}.pc", "Name: #{library}\nDescription: a test's\nVersion: #{version}\n")
      end
      _output, error, status = configure("PKG_CONFIG_LIBDIR" => directory, "PKG_CONFIG_PATH" => nil)
      refute_predicate status, :success?
      error
    end
  end

  def configure(environment)
    Dir.mktmpdir { |directory| Open3.capture3(environment, RbConfig.ruby, EXTCONF, chdir: directory) }
  end
end
