# frozen_string_literal: true

# Configures the build of streamer/streamer: libcurl, nghttp2 and yajl from the system, every layer's sources in one
# library.
#
#   STREAMER_STRICT=1                       warnings are errors, for people who work on streamer
#   STREAMER_SANITIZE=address|thread        AddressSanitizer with UBSan, or ThreadSanitizer

require "mkmf"

PACKAGES = "libcurl4-openssl-dev libnghttp2-dev libyajl-dev pkg-config on Debian and Ubuntu, " \
           "libcurl-devel libnghttp2-devel yajl-devel pkgconf-pkg-config on Fedora, " \
           "curl-dev nghttp2-dev yajl-dev pkgconf on Alpine, " \
           "curl libnghttp2 yajl pkgconf with Homebrew"

SANITIZERS = {
  "address" => "-fsanitize=address,undefined -fno-omit-frame-pointer",
  "thread" => "-fsanitize=thread -fno-omit-frame-pointer"
}.freeze

LAYERS = %w[core loop upstream sink relay binding].freeze

def installed?(library, version)
  pkg_config(library, "atleast-version=#{version}")
end

# Homebrew does not link its curl over the system's, so pkg-config does not see it unasked.
def add_homebrew_curl
  return unless find_executable("brew")

  directory = File.join(`brew --prefix curl`.strip, "lib", "pkgconfig")
  ENV["PKG_CONFIG_PATH"] = [directory, ENV["PKG_CONFIG_PATH"]].compact.join(File::PATH_SEPARATOR)
end

def use_library(library, version)
  return if installed?(library, version) && pkg_config(library)

  stop "streamer needs #{library} >= #{version}, which pkg-config does not find: install #{PACKAGES}."
end

# Leaves without mkmf's farewell, whose page of options would bury the sentence.
def stop(sentence)
  $stdout.flush
  warn sentence
  exit!(false)
end

# A Ruby that was built where pkg-config was not installed does not know its name.
$PKGCONFIG ||= with_config("pkg-config") || find_executable("pkg-config")

add_homebrew_curl unless installed?("libcurl", "7.88")
use_library("libcurl", "7.88")
use_library("libnghttp2", "1.52")
use_library("yajl", "2.1")

# yajl.pc names the directory yajl's headers are in, while they include each other as <yajl/...>.
unless have_header("yajl/yajl_parse.h")
  $INCFLAGS << " -I#{File.dirname(pkg_config("yajl", "variable=includedir"))}"
end

# Came with the fix of CVE-2024-28182, in nghttp2 1.61 and in the older versions that Debian and Ubuntu maintain.
unless have_func("nghttp2_option_set_max_continuations", "nghttp2/nghttp2.h")
  stop "streamer needs a libnghttp2 with the fix of CVE-2024-28182: 1.61, or your system's security update."
end

# HTTP/2 is negotiated on OpenSSL's context, where libcurl is built with OpenSSL; other libcurls speak HTTP/1.1.
have_header("openssl/ssl.h") if pkg_config("openssl")

# The poller is epoll on Linux, kqueue on macOS and the BSDs.
have_header("sys/epoll.h")
have_header("sys/event.h")
# One descriptor instead of a pipe's two to wake the loop.
have_header("sys/eventfd.h")
# Without it (a Ruby with no fiber scheduler in its C API) every caller waits as a thread does.
have_func("rb_fiber_scheduler_current", "ruby/fiber/scheduler.h")

$INCFLAGS << " -I$(srcdir)"
$CFLAGS << " -std=gnu11 -O2 -g -fvisibility=hidden -pthread"
if ENV["STREAMER_STRICT"]
  $CFLAGS << " -Wall -Wextra -Werror"
  # Ruby 3.1's own headers do not pass -Wextra; a system's headers are let off.
  $INCFLAGS << " -isystem $(arch_hdrdir) -isystem $(hdrdir)"
end
if (sanitizer = ENV["STREAMER_SANITIZE"])
  flags = SANITIZERS.fetch(sanitizer) { stop "STREAMER_SANITIZE is one of #{SANITIZERS.keys.join(", ")}." }
  $CFLAGS << " #{flags}"
  $LDFLAGS << " #{flags}"
end
$LDFLAGS << " -pthread"

# Objects land in one directory, so two sources of one name would silently become one.
$srcs = LAYERS.flat_map { |layer| Dir[File.join($srcdir, layer, "*.c")] }.sort
duplicates = $srcs.map { |path| File.basename(path) }.tally.select { |_, count| count > 1 }.keys
stop "Two layers have a #{duplicates.join(", ")}." if duplicates.any?
$VPATH.concat(LAYERS.map { |layer| "$(srcdir)/#{layer}" })

create_makefile("streamer/streamer")

# mkmf knows headers beside extconf.rb only; and other flags make other objects.
headers = LAYERS.map { |layer| "$(wildcard $(srcdir)/#{layer}/*.h)" }.join(" ")
File.write("Makefile", "\n$(OBJS): Makefile #{headers}\n", mode: "a")
