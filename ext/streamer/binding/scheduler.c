#include "scheduler.h"

#include <ruby/fiber/scheduler.h>
#include <ruby/io.h>

#include "../upstream/fork.h"
#include "binding.h"
#include "waiting.h"

/* A fiber that waits, on its own stack: the garbage collector finds the fiber and its scheduler there. */
struct waiter {
    struct waiter *previous, *next;
    VALUE driver_object, scheduler, fiber;
    struct driver *driver;
    struct streamer_monitor *monitor; /* of the transfer or the group */
    void **place;                   /* its `waiter` */
    bool (*ready)(void *);
    void *argument;
    bool woken; /* unblocked, and has not run since: a second unblock would end some later wait of the fiber */
};

struct driver {
    struct streamer_reactor *reactor;
    unsigned generation;
    struct waiter *leader;
    struct waiter *waiters; /* the leader among them */
};

static ID id_driver, id_io;

/* What is in the lists holds references to the reactor. */
static void forget_news(struct streamer_reactor *reactor) {
    struct streamer_transfer *transfer;
    while ((transfer = streamer_reactor_next_changed(reactor)) != NULL) streamer_transfer_release(transfer);
    struct streamer_group *group;
    while ((group = streamer_group_next_called(reactor)) != NULL) streamer_group_release(group);
}

static void free_driver(void *pointer) {
    struct driver *driver = pointer;
    if (driver->reactor != NULL && driver->generation == streamer_fork_generation()) {
        streamer_reactor_close(driver->reactor);
        forget_news(driver->reactor);
        streamer_reactor_release(driver->reactor);
    }
    xfree(driver);
}

static size_t driver_size(const void *pointer) {
    (void)pointer;
    return sizeof(struct driver);
}

static const rb_data_type_t driver_type = {
    .wrap_struct_name = "streamer/driver",
    .function = {.dfree = free_driver, .dsize = driver_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static struct driver *get_driver(VALUE object) {
    struct driver *driver;
    TypedData_Get_Struct(object, struct driver, &driver_type, driver);
    return driver;
}

VALUE streamer_scheduler_driver(void) {
    VALUE thread = rb_thread_current();
    VALUE object = rb_ivar_get(thread, id_driver);
    if (object != Qnil && get_driver(object)->generation == streamer_fork_generation()) return object;

    struct driver *driver;
    object = TypedData_Make_Struct(rb_cObject, struct driver, &driver_type, driver);
    driver->generation = streamer_fork_generation();
    driver->reactor = streamer_reactor_new();
    if (driver->reactor == NULL) rb_sys_fail("streamer: no reactor");
    streamer_reactor_track_changes(driver->reactor);

    /* One IO object for the reactor's life: schedulers tell a descriptor's registration by the object. */
    rb_ivar_set(object, id_io, streamer_io(streamer_reactor_fd(driver->reactor)));
    rb_ivar_set(thread, id_driver, object);
    return object;
}

struct streamer_reactor *streamer_scheduler_reactor(VALUE driver) {
    return get_driver(driver)->reactor;
}

/* Gets a waiting fiber to look again. The leader is not blocked: it waits for the reactor's descriptor. */
static void rouse(struct waiter *waiter) {
    if (waiter == waiter->driver->leader) {
        streamer_reactor_wake(waiter->driver->reactor);
    } else if (!waiter->woken) {
        waiter->woken = true;
        rb_fiber_scheduler_unblock(waiter->scheduler, waiter->driver_object, waiter->fiber);
    }
}

/* Takes a turn and rouses the fibers, other than `me`, that it brought news to. */
static void turn(struct driver *driver, const struct waiter *me) {
    streamer_reactor_turn(driver->reactor, 0);
    struct streamer_transfer *transfer;
    while ((transfer = streamer_reactor_next_changed(driver->reactor)) != NULL) {
        struct waiter *waiter = transfer->waiter;
        streamer_transfer_release(transfer);
        if (waiter != NULL && waiter != me) rouse(waiter);
    }
    struct streamer_group *group;
    while ((group = streamer_group_next_called(driver->reactor)) != NULL) {
        struct waiter *waiter = group->waiter;
        streamer_group_release(group);
        if (waiter != NULL && waiter != me) rouse(waiter);
    }
    streamer_reactor_arm(driver->reactor);
}

void streamer_scheduler_turn(VALUE driver) {
    turn(get_driver(driver), NULL);
}

static bool is_ready(const struct waiter *waiter) {
    pthread_mutex_lock(&waiter->monitor->lock);
    bool ready = waiter->ready(waiter->argument);
    pthread_mutex_unlock(&waiter->monitor->lock);
    return ready;
}

static VALUE wait_in_turns(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    struct driver *driver = waiter->driver;
    VALUE io = rb_ivar_get(waiter->driver_object, id_io);
    while (!is_ready(waiter)) {
        if (driver->leader != NULL && driver->leader != waiter) {
            rb_fiber_scheduler_block(waiter->scheduler, waiter->driver_object, Qnil); /* may return for no reason */
            waiter->woken = false;
            continue;
        }
        driver->leader = waiter;
        turn(driver, waiter);
        if (is_ready(waiter)) break;
        /* Without a timeout: a scheduler's timer for each wake would cost more than the wake. */
        rb_fiber_scheduler_io_wait(waiter->scheduler, io, INT2NUM(RUBY_IO_READABLE), Qnil);
    }
    return Qnil;
}

static VALUE stop_waiting(VALUE argument) {
    struct waiter *waiter = (struct waiter *)argument;
    struct driver *driver = waiter->driver;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        driver->waiters = waiter->next;
    if (waiter->next != NULL) waiter->next->previous = waiter->previous;
    *waiter->place = NULL;
    if (driver->leader == waiter) driver->leader = NULL;
    if (driver->leader == NULL && driver->waiters != NULL) rouse(driver->waiters);
    return Qnil;
}

/* No scheduler here: another thread than the driver's, or a blocking fiber of its thread. It waits for the signal too,
 * because the turn that brings its news may be the leader's. */
static void wait_in_thread(VALUE object, const struct waiter *waiter) {
    struct driver *driver = get_driver(object);
    for (;;) {
        turn(driver, waiter);
        if (is_ready(waiter)) return;
        streamer_wait_beside(waiter->monitor, waiter->ready, waiter->argument, streamer_reactor_fd(driver->reactor));
    }
}

void streamer_scheduler_wait(VALUE object, struct streamer_monitor *monitor, void **place, bool (*ready)(void *),
                             void *argument) {
    struct waiter waiter = {.driver_object = object,
                            .scheduler = rb_fiber_scheduler_current(),
                            .fiber = rb_fiber_current(),
                            .driver = get_driver(object),
                            .monitor = signal,
                            .place = place,
                            .ready = ready,
                            .argument = argument};
    if (is_ready(&waiter)) return;
    if (waiter.scheduler == Qnil) {
        wait_in_thread(object, &waiter);
        return;
    }
    if (*place != NULL) rb_raise(rb_eThreadError, "another fiber is already reading this response");
    *place = &waiter;
    waiter.next = waiter.driver->waiters;
    if (waiter.next != NULL) waiter.next->previous = &waiter;
    waiter.driver->waiters = &waiter;
    rb_ensure(wait_in_turns, (VALUE)&waiter, stop_waiting, (VALUE)&waiter);
}

void streamer_init_scheduler(void) {
    id_driver = rb_intern("__streamer_driver");
    id_io = rb_intern("__io");
}
