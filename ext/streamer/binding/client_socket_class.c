#include <fcntl.h>

#include "../relay/client.h"
#include "../relay/relay.h"
#include "../relay/thread.h"
#include "../upstream/clock.h"
#include "../upstream/fork.h"
#include "binding.h"
#include "errors.h"
#include "exchange.h"
#include "stages.h"
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
    return client->gone || client->ending || streamer_client_waiting(client) < STREAMER_CLIENT_HIGH;
}

NORETURN(static void raise_disconnected(void));

static void raise_disconnected(void) {
    rb_raise(streamer_client_disconnected, "the browser has closed the stream");
}

/* Sends frames. Waits, without the GVL, only while the browser has not taken STREAMER_CLIENT_HIGH bytes sent before. */
static VALUE write_frames(VALUE self, VALUE frames) {
    struct streamer_client *client = get(self);
    frames = rb_str_new_frozen(StringValue(frames));
    size_t length = (size_t)RSTRING_LEN(frames);
    for (size_t sent = 0; sent < length;) {
        size_t piece = length - sent < STREAMER_CLIENT_PIECE ? length - sent : STREAMER_CLIENT_PIECE;
        streamer_wait(&client->signal, has_room, client, -1);
        if (!streamer_client_write(client, RSTRING_PTR(frames) + sent, piece)) raise_disconnected();
        sent += piece;
    }
    RB_GC_GUARD(frames);
    return Qnil;
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

/* close(complete): sends what waits, with `complete` the last chunk too, and closes; the write timeout bounds the wait.
 */
static VALUE close_client(VALUE self, VALUE complete) {
    struct streamer_client *client = get(self);
    streamer_client_close(client, RTEST(complete));
    if (!streamer_wait(&client->signal, is_closed, client, streamer_now() + client->write_timeout))
        streamer_client_drop(client);
    RB_GC_GUARD(self);
    return Qnil;
}

/* ---- relay
 * ----------------------------------------------------------------------------------------------------------- */

static bool relay_ended(void *argument) {
    struct streamer_relay *relay = argument;
    return relay->ended;
}

static VALUE wait_for_relay(VALUE argument) {
    struct streamer_relay *relay = (struct streamer_relay *)argument;
    streamer_wait(&relay->client->signal, relay_ended, relay, -1);
    return Qnil;
}

/* However the wait ended, the native thread must be done with the relay before its owner goes on. A cancelled transfer
 * ends within a turn, so this does not need to be interruptible. */
static VALUE end_relay(VALUE argument) {
    struct streamer_relay *relay = (struct streamer_relay *)argument;
    struct streamer_signal *signal = &relay->client->signal;
    pthread_mutex_lock(&signal->lock);
    bool ended = relay->ended;
    pthread_mutex_unlock(&signal->lock);
    if (ended) return Qnil;
    streamer_transfer_cancel(relay->transfer);
    pthread_mutex_lock(&signal->lock);
    while (!relay->ended) streamer_signal_wait(signal, -1);
    pthread_mutex_unlock(&signal->lock);
    return Qnil;
}

/* relay(transfer, pipeline): moves the transfer's bytes through the pipeline to the browser without the GVL; returns at
 * the answer's end, and raises what went wrong. */
static VALUE relay_transfer(VALUE self, VALUE transfer_object, VALUE pipeline_object) {
    struct streamer_client *client = get(self);
    struct streamer_transfer *transfer = streamer_get_transfer(transfer_object);
    struct streamer_pipeline *pipeline = streamer_get_pipeline(pipeline_object);
    if (!streamer_transfer_is_native(transfer_object)) {
        rb_raise(streamer_error,
                 "this response belongs to a fiber scheduler; its bytes cannot be relayed by the native thread");
    }
    struct streamer_relay relay;
    streamer_relay_start(&relay, transfer, client, pipeline);
    rb_ensure(wait_for_relay, (VALUE)&relay, end_relay, (VALUE)&relay);
    RB_GC_GUARD(transfer_object);
    RB_GC_GUARD(pipeline_object);
    RB_GC_GUARD(self);
    if (relay.status != STREAMER_OK) streamer_raise_status(relay.status);
    if (is_connected(self) == Qfalse) raise_disconnected();
    streamer_raise_failure(transfer);
    return Qnil;
}

void streamer_init_client_socket(void) {
    VALUE class = rb_define_class_under(streamer_module, "ClientSocket", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 4);
    rb_define_private_method(class, "close_client", close_client, 1);
    rb_define_method(class, "write", write_frames, 1);
    rb_define_method(class, "connected?", is_connected, 0);
    rb_define_method(class, "relay", relay_transfer, 2);
}
