/* Streamer::Group, the one wait of Streamer.merge, gather and of pauses between attempts; see upstream/group.h. For one
 * thread or fiber at a time; interrupt is for any. */
#include "../upstream/group.h"

#include <ruby/fiber/scheduler.h>

#include "../upstream/clock.h"
#include "../upstream/fork.h"
#include "binding.h"
#include "branch.h"
#include "errors.h"
#include "exchange.h"
#include "scheduler.h"
#include "waiting.h"

static ID id_driver, id_branch, id_await;

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

static void use_driver(VALUE self, struct streamer_group *group, VALUE driver) {
    streamer_group_use_reactor(group, streamer_scheduler_reactor(driver));
    rb_ivar_set(self, id_driver, driver);
}

static VALUE allocate(VALUE class) {
    struct streamer_group *group = streamer_group_new();
    if (group == NULL) rb_memerror();
    VALUE self = TypedData_Wrap_Struct(class, &group_type, group);
    if (rb_fiber_scheduler_current() != Qnil) use_driver(self, group, streamer_scheduler_driver());
    return self;
}

/* join(transfer, key): wait then answers with this Integer when the transfer has news. */
static VALUE join(VALUE self, VALUE object, VALUE key) {
    struct streamer_group *group = get(self);
    struct streamer_transfer *transfer = streamer_get_transfer(object);
    VALUE driver = streamer_transfer_driver(object), own = rb_ivar_get(self, id_driver);
    if (driver != Qnil && own == Qnil)
        use_driver(self, group, driver);
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

/* post(transfer): it has news, and stands behind all others that have. */
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

/* ---- waiting ---- */

static bool has_news(void *group) {
    return streamer_group_has_news(group);
}

struct timed {
    struct streamer_group *group;
    VALUE driver;
    int64_t deadline;
};

static VALUE wait_with_timer(VALUE argument) {
    struct timed *timed = (struct timed *)argument;
    if (timed->deadline >= 0) {
        streamer_group_set_timer(timed->group, timed->deadline);
        streamer_scheduler_turn(timed->driver); /* the leader may have to look up earlier now */
    }
    streamer_scheduler_wait(timed->driver, &timed->group->monitor, &timed->group->waiter, has_news, timed->group);
    return Qnil;
}

static VALUE unset_timer(VALUE argument) {
    struct timed *timed = (struct timed *)argument;
    streamer_group_set_timer(timed->group, -1);
    return Qnil;
}

/* wait(seconds or nil): the key of the transfer that has had news for the longest time, as soon as there is one. nil
 * when that long there was none, or after interrupt. */
static VALUE wait_for_news(VALUE self, VALUE seconds) {
    struct streamer_group *group = get(self);
    VALUE driver = rb_ivar_get(self, id_driver);
    int64_t deadline = NIL_P(seconds) ? -1 : streamer_now() + (int64_t)(NUM2DBL(seconds) * 1000 + 0.999);
    struct timed timed = {group, driver, deadline};
    if (driver == Qnil)
        streamer_wait(&group->monitor, has_news, group, deadline);
    else
        rb_ensure(wait_with_timer, (VALUE)&timed, unset_timer, (VALUE)&timed);
    RB_GC_GUARD(driver);

    pthread_mutex_lock(&group->monitor.lock);
    group->interrupted = false;
    pthread_mutex_unlock(&group->monitor.lock);
    long key;
    return streamer_group_take(group, &key) ? LONG2NUM(key) : Qnil;
}

/* ---- branches ---- */

bool streamer_wait_in_branch(VALUE object, struct streamer_transfer *transfer, bool (*ready)(void *)) {
    VALUE branch = rb_thread_local_aref(rb_thread_current(), id_branch); /* the current fiber's */
    if (branch == Qnil) return false;
    bool is_ready;
    do {
        pthread_mutex_lock(&transfer->monitor.lock);
        is_ready = ready(transfer);
        pthread_mutex_unlock(&transfer->monitor.lock);
    } while (!RTEST(rb_funcall(branch, id_await, 2, object, is_ready ? Qtrue : Qfalse)));
    return true;
}

void streamer_init_group(void) {
    VALUE class = rb_define_class_under(streamer_module, "Group", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_method(class, "join", join, 2);
    rb_define_method(class, "leave", leave, 1);
    rb_define_method(class, "post", post, 1);
    rb_define_method(class, "interrupt", interrupt, 0);
    rb_define_method(class, "wait", wait_for_news, 1);
    id_driver = rb_intern("__driver");
    id_branch = rb_intern("__streamer_branch");
    id_await = rb_intern("await");
}
