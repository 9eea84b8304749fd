# frozen_string_literal: true

require "test_helper"
require "open3"
require "tmpdir"

# The sides of the C code that this system does not build, as far as a compiler can judge them.
class SystemsTest < Minitest::Test
  EXT = File.expand_path("../../ext/streamer", __dir__)
  CHECK = %w[gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only].freeze
  PACKAGES = `pkg-config --cflags libcurl yajl libnghttp2`.split.freeze

  # macOS and the BSDs: kqueue, a pipe in place of an eventfd, none of Linux's names.
  def test_the_layers_compile_with_kqueue
    assert_compiles "loop,upstream,sink,relay", "-U__linux__", "-Ulinux", "-DHAVE_SYS_EVENT_H", "-isystem", File.join(__dir__, "bsd")
  end

  def test_the_poller_with_kqueue_is_one_that_has_a_wait
    Dir.mktmpdir do |directory|
      object = File.join(directory, "poller.o")
      output, status = Open3.capture2e("gcc", "-std=gnu11", "-DHAVE_SYS_EVENT_H", "-isystem", File.join(__dir__, "bsd"), "-c", "-o", object,
                                       File.join(EXT, "loop/poller_kqueue.c"))
      assert_predicate status, :success?, output
      assert_match(/ T streamer_poller_wait$/, `nm #{object}`)
    end
  end

  # An OpenSSL that libcurl does not use, as on Windows' and Apple's own.
  def test_the_layers_compile_without_openssl
    assert_compiles "loop,upstream,sink,relay", "-DHAVE_SYS_EPOLL_H", "-DHAVE_SYS_EVENTFD_H"
  end

  def test_the_layers_compile_without_eventfd
    assert_compiles "loop", "-DHAVE_SYS_EPOLL_H", "-DHAVE_OPENSSL_SSL_H"
  end

  # Names that only Linux or glibc has would be missing here.
  def test_the_core_needs_no_more_than_c11_and_posix
    assert_compiles "core", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-U__linux__", "-Ulinux"
  end

  private

  def assert_compiles(layers, *flags)
    sources = Dir["#{EXT}/{#{layers}}/*.c"]
    refute_empty sources
    output, status = Open3.capture2e(*CHECK, *PACKAGES, *flags, *sources)
    assert_predicate status, :success?, output
  end
end
