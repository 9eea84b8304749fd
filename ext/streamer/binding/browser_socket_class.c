#include <fcntl.h>

#include "../core/ceilings.h"
#include "../loop/clock.h"
#include "../loop/fork.h"
#include "../relay/thread.h"
#include "../sink/browser.h"
#include "await.h"
#include "binding.h"
#include "errors.h"
#include "objects.h"

static void free_browser(void *pointer) {
    struct streamer_browser *browser = pointer;
    if (browser == NULL || browser->generation != streamer_fork_generation()) return;
    pthread_mutex_lock(&browser->monitor.lock);
    bool handed_over = browser->handed_over;
    pthread_mutex_unlock(&browser->monitor.lock);
    if (!handed_over) streamer_browser_close(browser, false);
    streamer_browser_release(browser);
}

static size_t browser_size(const void *pointer) {
    struct streamer_browser *browser = (struct streamer_browser *)(uintptr_t)pointer;
    return browser == NULL || browser->generation != streamer_fork_generation() ? 0 : streamer_browser_size(browser);
}

static const rb_data_type_t browser_type = {
    .wrap_struct_name = "streamer/browser_socket",
    .function = {.dfree = free_browser, .dsize = browser_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    return TypedData_Wrap_Struct(class, &browser_type, NULL);
}

static struct streamer_browser *get(VALUE self) {
    struct streamer_browser *browser = rb_check_typeddata(self, &browser_type);
    if (browser == NULL) rb_raise(rb_eArgError, "this browser socket was not initialized");
    streamer_check_generation(browser->generation, "this stream");
    return browser;
}

struct streamer_browser *streamer_get_browser(VALUE object) {
    return get(object);
}

/* setup(fileno, chunked, shared, heartbeat, heartbeat_event, write_timeout): times in ms; heartbeat 0: never. The
 * descriptor is duplicated. */
static VALUE initialize(VALUE self, VALUE fileno, VALUE chunked, VALUE shared, VALUE heartbeat, VALUE event,
                        VALUE write_timeout) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this browser socket is initialized already");
    struct streamer_browser_options options = {.chunked = RTEST(chunked),
                                               .shared = RTEST(shared),
                                               .heartbeat = NUM2LL(heartbeat),
                                               .heartbeat_event = RTEST(event),
                                               .write_timeout = NUM2LL(write_timeout)};
    int theirs = NUM2INT(fileno);
    struct streamer_pool *pool = streamer_thread_pool();
    if (pool == NULL) rb_sys_fail("streamer: the native thread could not be started");
    int fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) rb_sys_fail("streamer: the browser's socket could not be duplicated");
    struct streamer_browser *browser = streamer_browser_new(pool->loop, fd, &options);
    if (browser == NULL) {
        close(fd);
        rb_memerror();
    }
    RTYPEDDATA_DATA(self) = browser;
    return self;
}

static bool has_room(void *argument) {
    struct streamer_browser *browser = argument;
    return browser->gone || browser->ending || !streamer_browser_full(browser);
}

NORETURN(static void raise_disconnected(void));

static void raise_disconnected(void) {
    rb_raise(streamer_browser_disconnected, "the browser has closed the stream");
}

/*
 * call-seq: socket.write(frames) -> nil
 *
 * Sends a String of whole frames, of at most 64 MiB. Waits, without the GVL or in its fiber, while more than 256 KiB of
 * what was sent before have not been taken. Raises BrowserDisconnectedError when the browser has left,
 * EventTooLargeError. Several threads and fibers may write at once.
 */
static VALUE write_frames(VALUE self, VALUE frames) {
    struct streamer_browser *browser = get(self);
    frames = rb_str_new_frozen(StringValue(frames));
    if ((size_t)RSTRING_LEN(frames) > STREAMER_MAX_EVENT) streamer_raise_status(STREAMER_EVENT_TOO_LARGE);
    streamer_await(Qnil, &browser->monitor, has_room, browser, -1);
    if (!streamer_browser_write(browser, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames))) raise_disconnected();
    RB_GC_GUARD(frames);
    return Qnil;
}

/*
 * call-seq: socket.offer(frames) -> true or false
 *
 * Sends a String of whole frames and never waits; false when the browser is more than 256 KiB behind, or gone.
 */
static VALUE offer(VALUE self, VALUE frames) {
    struct streamer_browser *browser = get(self);
    frames = rb_str_new_frozen(StringValue(frames));
    pthread_mutex_lock(&browser->monitor.lock);
    bool full = streamer_browser_full(browser);
    pthread_mutex_unlock(&browser->monitor.lock);
    bool taken = !full && (size_t)RSTRING_LEN(frames) <= STREAMER_MAX_EVENT &&
                 streamer_browser_write(browser, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames));
    RB_GC_GUARD(frames);
    return taken ? Qtrue : Qfalse;
}

/*
 * call-seq: socket.connected? -> true or false
 *
 * false from the moment the browser's leaving was noticed, and once the stream is being closed.
 */
static VALUE is_connected(VALUE self) {
    struct streamer_browser *browser = get(self);
    pthread_mutex_lock(&browser->monitor.lock);
    bool connected = !browser->gone && !browser->ending;
    pthread_mutex_unlock(&browser->monitor.lock);
    return connected ? Qtrue : Qfalse;
}

static bool is_closed(void *argument) {
    struct streamer_browser *browser = argument;
    return browser->fd < 0;
}

/* finish(complete): no more frames; what waits is sent, with `complete` the last chunk too, and the socket closed,
 * without waiting for it. */
static VALUE finish_browser(VALUE self, VALUE complete) {
    streamer_browser_close(get(self), RTEST(complete));
    return Qnil;
}

/* close(complete): the same, and waits for it, at most the write timeout.
 */
static VALUE close_browser(VALUE self, VALUE complete) {
    struct streamer_browser *browser = get(self);
    streamer_browser_close(browser, RTEST(complete));
    if (!streamer_await(Qnil, &browser->monitor, is_closed, browser, streamer_now() + browser->options.write_timeout))
        streamer_browser_drop(browser);
    RB_GC_GUARD(self);
    return Qnil;
}

/*
 * call-seq: socket.wait -> nil
 *
 * Waits, without the GVL or in its fiber, until somebody has ended the stream and the socket is closed.
 */
static VALUE wait_until_closed(VALUE self) {
    struct streamer_browser *browser = get(self);
    streamer_await(Qnil, &browser->monitor, is_closed, browser, -1);
    RB_GC_GUARD(self);
    return Qnil;
}

void streamer_init_browser_socket(void) {
#if 0 /* for RDoc, which reads each file for itself */
    streamer_module = rb_define_module("Streamer");
#endif
    VALUE class = rb_define_class_under(streamer_module, "BrowserSocket", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 6);
    rb_define_private_method(class, "close_browser", close_browser, 1);
    rb_define_private_method(class, "finish_browser", finish_browser, 1);
    rb_define_method(class, "write", write_frames, 1);
    rb_define_method(class, "offer", offer, 1);
    rb_define_method(class, "connected?", is_connected, 0);
    rb_define_method(class, "wait", wait_until_closed, 0);
}
