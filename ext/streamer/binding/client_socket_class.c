#include <fcntl.h>

#include "../core/ceilings.h"
#include "../relay/client.h"
#include "../relay/thread.h"
#include "../upstream/clock.h"
#include "../upstream/fork.h"
#include "binding.h"
#include "errors.h"
#include "exchange.h"
#include "waiting.h"

static void free_client(void *pointer) {
    struct streamer_client *client = pointer;
    if (client == NULL || client->generation != streamer_fork_generation()) return;
    streamer_client_close(client, false);
    streamer_client_release(client);
}

static size_t client_size(const void *pointer) {
    struct streamer_client *client = (struct streamer_client *)(uintptr_t)pointer;
    return client == NULL || client->generation != streamer_fork_generation() ? 0 : streamer_client_size(client);
}

static const rb_data_type_t client_type = {
    .wrap_struct_name = "streamer/client_socket",
    .function = {.dfree = free_client, .dsize = client_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    return TypedData_Wrap_Struct(class, &client_type, NULL);
}

static struct streamer_client *get(VALUE self) {
    struct streamer_client *client = rb_check_typeddata(self, &client_type);
    if (client == NULL) rb_raise(rb_eArgError, "this client socket was not initialized");
    streamer_check_generation(client->generation, "this stream");
    return client;
}

struct streamer_client *streamer_get_client(VALUE object) {
    return get(object);
}

/* setup(fileno, chunked, heartbeat, write_timeout): the latter two in ms, 0 for never. The descriptor is duplicated. */
static VALUE initialize(VALUE self, VALUE fileno, VALUE chunked, VALUE heartbeat, VALUE write_timeout) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this client socket is initialized already");
    int64_t beat = NUM2LL(heartbeat), timeout = NUM2LL(write_timeout);
    int theirs = NUM2INT(fileno);
    struct streamer_reactor *reactor = streamer_thread_reactor();
    if (reactor == NULL) rb_sys_fail("streamer: the native thread could not be started");
    int fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) rb_sys_fail("streamer: the client's socket could not be duplicated");
    struct streamer_client *client = streamer_client_new(reactor, fd, RTEST(chunked), beat, timeout);
    if (client == NULL) {
        close(fd);
        rb_memerror();
    }
    RTYPEDDATA_DATA(self) = client;
    return self;
}

static bool has_room(void *argument) {
    struct streamer_client *client = argument;
    return client->gone || client->ending || !streamer_client_full(client);
}

NORETURN(static void raise_disconnected(void));

static void raise_disconnected(void) {
    rb_raise(streamer_client_disconnected, "the browser has closed the stream");
}

/* Sends whole frames. Waits, without the GVL, only while the browser has not taken STREAMER_CLIENT_HIGH bytes sent
 * before. */
static VALUE write_frames(VALUE self, VALUE frames) {
    struct streamer_client *client = get(self);
    frames = rb_str_new_frozen(StringValue(frames));
    if ((size_t)RSTRING_LEN(frames) > STREAMER_MAX_EVENT) streamer_raise_status(STREAMER_EVENT_TOO_LARGE);
    streamer_wait(&client->signal, has_room, client, -1);
    if (!streamer_client_write(client, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames))) raise_disconnected();
    RB_GC_GUARD(frames);
    return Qnil;
}

/* offer(frames): sends whole frames without ever waiting; false when the browser is too far behind, or gone. */
static VALUE offer(VALUE self, VALUE frames) {
    struct streamer_client *client = get(self);
    frames = rb_str_new_frozen(StringValue(frames));
    pthread_mutex_lock(&client->signal.lock);
    bool full = streamer_client_full(client);
    pthread_mutex_unlock(&client->signal.lock);
    bool taken = !full && (size_t)RSTRING_LEN(frames) <= STREAMER_MAX_EVENT &&
                 streamer_client_write(client, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames));
    RB_GC_GUARD(frames);
    return taken ? Qtrue : Qfalse;
}

static VALUE is_connected(VALUE self) {
    struct streamer_client *client = get(self);
    pthread_mutex_lock(&client->signal.lock);
    bool connected = !client->gone && !client->ending;
    pthread_mutex_unlock(&client->signal.lock);
    return connected ? Qtrue : Qfalse;
}

static bool is_closed(void *argument) {
    struct streamer_client *client = argument;
    return client->fd < 0;
}

/* finish(complete): no more frames; what waits is sent, with `complete` the last chunk too, and the socket closed, without
 * waiting for it. */
static VALUE finish_client(VALUE self, VALUE complete) {
    streamer_client_close(get(self), RTEST(complete));
    return Qnil;
}

/* close(complete): the same, and waits for it, at most the write timeout.
 */
static VALUE close_client(VALUE self, VALUE complete) {
    struct streamer_client *client = get(self);
    streamer_client_close(client, RTEST(complete));
    if (!streamer_wait(&client->signal, is_closed, client, streamer_now() + client->write_timeout))
        streamer_client_drop(client);
    RB_GC_GUARD(self);
    return Qnil;
}

void streamer_init_client_socket(void) {
    VALUE class = rb_define_class_under(streamer_module, "BrowserSocket", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 4);
    rb_define_private_method(class, "close_client", close_client, 1);
    rb_define_private_method(class, "finish_client", finish_client, 1);
    rb_define_method(class, "write", write_frames, 1);
    rb_define_method(class, "offer", offer, 1);
    rb_define_method(class, "connected?", is_connected, 0);
}
