/* Streamer::Group, the one wait of Streamer.merge, gather and of pauses between attempts; see upstream/group.h. For one
 * thread or fiber at a time; interrupt is for any. */
#include "../upstream/group.h"

#include <ruby/fiber/scheduler.h>

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "await.h"
#include "binding.h"
#include "errors.h"
#include "objects.h"
#include "scheduler.h"
#include "source.h"

static ID id_driver, id_source, id_await;

static void free_group(void *pointer) {
    struct streamer_group *group = pointer;
    /* In a forked child the parent's locks may be held for ever: leave everything as it is. */
    if (group->generation != streamer_fork_generation()) return;
    streamer_group_close(group);
    streamer_group_release(group);
}

static size_t group_size(const void *pointer) {
    (void)pointer;
    return sizeof(struct streamer_group);
}

static const rb_data_type_t group_type = {
    .wrap_struct_name = "streamer/group",
    .function = {.dfree = free_group, .dsize = group_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static struct streamer_group *get(VALUE self) {
    struct streamer_group *group;
    TypedData_Get_Struct(self, struct streamer_group, &group_type, group);
    streamer_check_generation(group->generation, "this group of requests");
    return group;
}

static VALUE allocate(VALUE class) {
    struct streamer_group *group = streamer_group_new();
    if (group == NULL) rb_memerror();
    VALUE self = TypedData_Wrap_Struct(class, &group_type, group);
    if (rb_fiber_scheduler_current() != Qnil) rb_ivar_set(self, id_driver, streamer_scheduler_driver());
    return self;
}

/* join(transfer, key): wait then returns this Integer when the transfer has changed. */
static VALUE join(VALUE self, VALUE object, VALUE key) {
    struct streamer_group *group = get(self);
    struct streamer_transfer *transfer = streamer_get_transfer(object);
    VALUE driver = streamer_transfer_driver(object), own = rb_ivar_get(self, id_driver);
    if (driver != Qnil && own == Qnil)
        rb_ivar_set(self, id_driver, driver);
    else if (driver != Qnil && driver != own)
        rb_raise(rb_eThreadError, "this response belongs to the fiber scheduler of another thread");
    if (!streamer_group_join(group, transfer, NUM2LONG(key)))
        rb_raise(rb_eThreadError, "this response is being read by another merge or gather");
    return self;
}

static VALUE leave(VALUE self, VALUE object) {
    streamer_group_leave(streamer_get_transfer(object));
    return self;
}

/* post(transfer): it counts as changed, behind all others that have. */
static VALUE post(VALUE self, VALUE object) {
    struct streamer_group *group = get(self);
    struct streamer_transfer *transfer = streamer_get_transfer(object);
    pthread_mutex_lock(&transfer->monitor.lock);
    if (transfer->membership.group == group) streamer_group_post(group, transfer);
    pthread_mutex_unlock(&transfer->monitor.lock);
    return self;
}

static VALUE interrupt(VALUE self) {
    streamer_group_interrupt(get(self));
    return self;
}

static bool has_changes(void *group) {
    return streamer_group_has_changes(group);
}

/* wait(seconds or nil): the key of the transfer that changed first, as soon as there is one. nil when there was none
 * for that long, or after interrupt. */
static VALUE wait_for_change(VALUE self, VALUE seconds) {
    struct streamer_group *group = get(self);
    int64_t deadline = NIL_P(seconds) ? -1 : streamer_now() + (int64_t)(NUM2DBL(seconds) * 1000 + 0.999);
    streamer_await(rb_ivar_get(self, id_driver), &group->monitor, has_changes, group, deadline);

    streamer_monitor_lock(&group->monitor);
    group->interrupted = false;
    streamer_monitor_unlock(&group->monitor);
    long key;
    return streamer_group_take(group, &key) ? LONG2NUM(key) : Qnil;
}

/* ---- sources ---- */

bool streamer_await_in_source(VALUE object, struct streamer_transfer *transfer, bool (*ready)(void *)) {
    VALUE source = rb_thread_local_aref(rb_thread_current(), id_source); /* the current fiber's */
    if (source == Qnil) return false;
    bool is_ready;
    do {
        pthread_mutex_lock(&transfer->monitor.lock);
        is_ready = ready(transfer);
        pthread_mutex_unlock(&transfer->monitor.lock);
    } while (!RTEST(rb_funcall(source, id_await, 2, object, is_ready ? Qtrue : Qfalse)));
    return true;
}

void streamer_init_group(void) {
    VALUE class = rb_define_class_under(streamer_module, "Group", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_method(class, "join", join, 2);
    rb_define_method(class, "leave", leave, 1);
    rb_define_method(class, "post", post, 1);
    rb_define_method(class, "interrupt", interrupt, 0);
    rb_define_method(class, "wait", wait_for_change, 1);
    id_driver = rb_intern("__driver");
    id_source = rb_intern("__streamer_source");
    id_await = rb_intern("await");
}
