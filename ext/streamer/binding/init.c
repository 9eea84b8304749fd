#include "binding.h"

#include <curl/curl.h>

#include "../loop/fork.h"
#include "../relay/thread.h"

VALUE streamer_module;

static void at_exit(VALUE unused) {
    (void)unused;
    streamer_thread_stop(); /* before libcurl's TLS library tears itself down under the thread */
}

RUBY_FUNC_EXPORTED void Init_streamer(void);

void Init_streamer(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rb_raise(rb_eLoadError, "streamer: libcurl could not be initialized");
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)) {
        rb_warn("streamer: this libcurl resolves host names synchronously, and every lookup will hold up all streams; "
                "install one built with c-ares or the threaded resolver");
    }
    streamer_fork_watch();
    streamer_module = rb_define_module("Streamer");
    streamer_init_errors();
    streamer_init_await();
    streamer_init_scheduler();
    streamer_init_headers();
    streamer_init_decoder();
    streamer_init_extractor();
    streamer_init_encoder();
    streamer_init_pipeline();
    streamer_init_transfer();
    streamer_init_group();
    streamer_init_browser_socket();
    streamer_init_relay();
    streamer_init_fanout();
    rb_set_end_proc(at_exit, Qnil);
}
