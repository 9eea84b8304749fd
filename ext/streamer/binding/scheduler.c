#include "scheduler.h"

#include <ruby/fiber/scheduler.h>
#include <ruby/io.h>
#include <stdatomic.h>

#include "../loop/fork.h"
#include "await.h"
#include "binding.h"

/* A fiber that waits, on its own stack, which stays for as long as it waits: the driver keeps the fiber alive. */
struct waiter {
    struct streamer_observer observer; /* of the monitor, as long as it waits */
    struct streamer_timer timer;
    struct waiter *previous, *next;
    struct waiter *notified_next; /* in the driver's list of those that were notified */
    bool listed;
    atomic_bool notified; /* outside an iteration */
    bool expired;
    bool unblocked; /* and has not run since: a second unblock would end some later wait of the fiber */

    VALUE driver_object, scheduler, fiber;
    struct driver *driver;
    struct streamer_monitor *monitor;
    bool (*ready)(void *);
    void *argument;
};

struct driver {
    struct streamer_pool *pool;
    unsigned generation;
    struct waiter *leader;
    struct waiter *waiters;    /* the leader among them */
    struct waiter *notified;   /* in an iteration */
    struct streamer_task task; /* posted when one was notified outside of an iteration */
    atomic_bool look;          /* at all of them */
};

static ID id_driver, id_io;

static void mark_driver(void *pointer) {
    const struct driver *driver = pointer;
    for (const struct waiter *waiter = driver->waiters; waiter != NULL; waiter = waiter->next) {
        rb_gc_mark(waiter->scheduler);
        rb_gc_mark(waiter->fiber);
    }
}

static void free_driver(void *pointer) {
    struct driver *driver = pointer;
    /* With waiters, their scheduler was left before its fibers had ended (or the process ends). Their stacks may be
     * gone already, and what they wait for would tell them: nothing is touched. */
    if (driver->waiters != NULL) return;
    if (driver->pool != NULL && driver->generation == streamer_fork_generation()) {
        streamer_pool_close(driver->pool);
        streamer_pool_release(driver->pool);
    }
    xfree(driver);
}

static size_t driver_size(const void *pointer) {
    const struct driver *driver = pointer;
    return sizeof *driver + (driver->pool == NULL ? 0 : sizeof *driver->pool);
}

static const rb_data_type_t driver_type = {
    .wrap_struct_name = "streamer/driver",
    .function = {.dmark = mark_driver, .dfree = free_driver, .dsize = driver_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY, /* not write-barrier protected: the waiters are marked each time */
};

static struct driver *get_driver(VALUE object) {
    struct driver *driver;
    TypedData_Get_Struct(object, struct driver, &driver_type, driver);
    return driver;
}

static void on_task(struct streamer_task *task) {
    (void)task; /* it was there for the iteration's sake */
}

/* Whether the driver is of this process, and has no fibers that were left behind in a scheduler which the thread had
 * before: they would lead for ever. */
static bool is_usable(const struct driver *driver, VALUE scheduler) {
    return driver->generation == streamer_fork_generation() &&
           (driver->waiters == NULL || driver->waiters->scheduler == scheduler);
}

VALUE streamer_scheduler_driver(void) {
    VALUE thread = rb_thread_current();
    VALUE object = rb_ivar_get(thread, id_driver);
    if (object != Qnil && is_usable(get_driver(object), rb_fiber_scheduler_current())) return object;

    struct driver *driver;
    object = TypedData_Make_Struct(rb_cObject, struct driver, &driver_type, driver);
    driver->generation = streamer_fork_generation();
    driver->task.run = on_task;
    driver->pool = streamer_pool_new();
    if (driver->pool == NULL) rb_sys_fail("streamer: no event loop");

    /* One IO object for the loop's life: schedulers tell a descriptor's registration by the object. */
    rb_ivar_set(object, id_io, streamer_io(streamer_loop_fd(driver->pool->loop)));
    rb_ivar_set(thread, id_driver, object);
    return object;
}

struct streamer_pool *streamer_scheduler_pool(VALUE driver) {
    return get_driver(driver)->pool;
}

/* ---- notifications ---- */

static void list(struct waiter *waiter) {
    if (waiter->listed) return;
    waiter->listed = true;
    waiter->notified_next = waiter->driver->notified;
    waiter->driver->notified = waiter;
}

/* With the monitor's lock held: in an iteration, which has the GVL; or on any other thread, which may not have it. */
static void on_notify(struct streamer_observer *observer) {
    struct waiter *waiter = STREAMER_OWNER(observer, struct waiter, observer);
    struct driver *driver = waiter->driver;
    if (streamer_loop_is_running_here(driver->pool->loop)) {
        list(waiter);
    } else {
        atomic_store(&waiter->notified, true);
        atomic_store(&driver->look, true);
        streamer_loop_post(driver->pool->loop, &driver->task);
    }
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct waiter *waiter = STREAMER_OWNER(timer, struct waiter, timer);
    waiter->expired = true;
    list(waiter);
}

/* Gets whoever waits to look again. The leader is not blocked: it waits for the loop's descriptor. Nor is a thread
 * without a scheduler: it waits for its monitor's. */
static void rouse(struct waiter *waiter) {
    if (waiter->scheduler == Qnil) {
        streamer_monitor_lock(waiter->monitor);
        streamer_monitor_notify(waiter->monitor);
        streamer_monitor_unlock(waiter->monitor);
    } else if (waiter == waiter->driver->leader) {
        streamer_loop_wake(waiter->driver->pool->loop);
    } else if (!waiter->unblocked) {
        waiter->unblocked = true;
        rb_fiber_scheduler_unblock(waiter->scheduler, waiter->driver_object, waiter->fiber);
    }
}

/* Runs an iteration and rouses those, other than `me`, that were notified. */
static void iterate(struct driver *driver, const struct waiter *me) {
    streamer_loop_iterate(driver->pool->loop, 0);
    if (atomic_exchange(&driver->look, false)) {
        for (struct waiter *waiter = driver->waiters; waiter != NULL; waiter = waiter->next) {
            if (atomic_exchange(&waiter->notified, false)) list(waiter);
        }
    }
    struct waiter *waiter;
    while ((waiter = driver->notified) != NULL) {
        driver->notified = waiter->notified_next;
        waiter->listed = false;
        if (waiter != me) rouse(waiter);
    }
    streamer_loop_arm(driver->pool->loop);
}

void streamer_scheduler_iterate(VALUE driver) {
    iterate(get_driver(driver), NULL);
}

/* ---- waiting ---- */

static bool is_done(const struct waiter *waiter) {
    streamer_monitor_lock(waiter->monitor);
    bool ready = waiter->ready(waiter->argument);
    streamer_monitor_unlock(waiter->monitor);
    return ready || waiter->expired;
}

static VALUE lead_or_follow(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    struct driver *driver = waiter->driver;
    VALUE io = rb_ivar_get(waiter->driver_object, id_io);
    while (!is_done(waiter)) {
        if (driver->leader != NULL && driver->leader != waiter) {
            rb_fiber_scheduler_block(waiter->scheduler, waiter->driver_object, Qnil); /* may return spuriously */
            waiter->unblocked = false;
            continue;
        }
        driver->leader = waiter;
        iterate(driver, waiter);
        if (is_done(waiter)) break;
        /* Without a timeout: a scheduler's timer for each wake would cost more than the wake. */
        rb_fiber_scheduler_io_wait(waiter->scheduler, io, INT2NUM(RUBY_IO_READABLE), Qnil);
    }
    return Qnil;
}

/* No scheduler here: another thread than the driver's, or a blocking fiber of its thread. It waits for the monitor too,
 * because the iteration that notifies it may be the leader's. */
static VALUE wait_in_thread(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    struct driver *driver = waiter->driver;
    for (;;) {
        iterate(driver, waiter);
        if (is_done(waiter)) return Qnil;
        streamer_await_beside(waiter->monitor, waiter->ready, waiter->argument, streamer_loop_fd(driver->pool->loop));
    }
}

static void unlist(struct waiter *waiter) {
    struct waiter **link = &waiter->driver->notified;
    if (!waiter->listed) return;
    while (*link != waiter) link = &(*link)->notified_next;
    *link = waiter->notified_next;
}

static VALUE leave_timer(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    streamer_loop_cancel_timer(waiter->driver->pool->loop, &waiter->timer);
    unlist(waiter);
    return Qnil;
}

static VALUE leave(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    struct driver *driver = waiter->driver;
    streamer_monitor_lock(waiter->monitor);
    streamer_monitor_unobserve(waiter->monitor, &waiter->observer);
    streamer_monitor_unlock(waiter->monitor);
    leave_timer(argument);
    *(waiter->previous != NULL ? &waiter->previous->next : &driver->waiters) = waiter->next;
    if (waiter->next != NULL) waiter->next->previous = waiter->previous;
    if (driver->leader == waiter) driver->leader = NULL;
    if (driver->leader == NULL && driver->waiters != NULL) rouse(driver->waiters);
    return Qnil;
}

static void set_timer(struct waiter *waiter, int64_t deadline) {
    if (deadline < 0) return;
    struct streamer_loop *loop = waiter->driver->pool->loop;
    streamer_loop_set_timer(loop, &waiter->timer, deadline);
    streamer_loop_arm(loop); /* whoever leads has to look up earlier now */
}

static void enter(struct waiter *waiter) {
    streamer_monitor_lock(waiter->monitor);
    bool taken = waiter->monitor->observers != NULL;
    if (!taken) streamer_monitor_observe(waiter->monitor, &waiter->observer);
    streamer_monitor_unlock(waiter->monitor);
    if (taken) rb_raise(rb_eThreadError, "another fiber is already reading this response");
    waiter->next = waiter->driver->waiters;
    if (waiter->next != NULL) waiter->next->previous = waiter;
    waiter->driver->waiters = waiter;
}

bool streamer_scheduler_await(VALUE object, struct streamer_monitor *monitor, bool (*ready)(void *), void *argument,
                              int64_t deadline) {
    struct waiter waiter = {.observer = {.notify = on_notify},
                            .timer = {.fire = on_timer},
                            .driver_object = object,
                            .scheduler = rb_fiber_scheduler_current(),
                            .fiber = rb_fiber_current(),
                            .driver = get_driver(object),
                            .monitor = monitor,
                            .ready = ready,
                            .argument = argument};
    if (is_done(&waiter)) return true;
    if (waiter.scheduler == Qnil) {
        set_timer(&waiter, deadline);
        rb_ensure(wait_in_thread, (VALUE)&waiter, leave_timer, (VALUE)&waiter);
    } else {
        enter(&waiter);
        set_timer(&waiter, deadline);
        rb_ensure(lead_or_follow, (VALUE)&waiter, leave, (VALUE)&waiter);
    }
    RB_GC_GUARD(object);
    return !waiter.expired;
}

void streamer_init_scheduler(void) {
    id_driver = rb_intern("__streamer_driver");
    id_io = rb_intern("__io");
}
