#include "await.h"

#include <poll.h>
#include <ruby/fiber/scheduler.h>
#include <ruby/io.h>
#include <ruby/thread.h>
#include <stdlib.h>

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "binding.h"
#include "scheduler.h"

struct wait {
    struct streamer_monitor *monitor;
    bool (*ready)(void *);
    void *argument;
    int64_t deadline;
    bool interrupted; /* guarded by the monitor's lock */
    bool expired;
};

static bool is_ready(struct wait *wait) {
    pthread_mutex_lock(&wait->monitor->lock);
    bool ready = wait->ready(wait->argument);
    pthread_mutex_unlock(&wait->monitor->lock);
    return ready;
}

static void *wait_without_gvl(void *argument) {
    struct wait *wait = argument;
    pthread_mutex_lock(&wait->monitor->lock);
    while (!wait->interrupted && !wait->expired && !wait->ready(wait->argument)) {
        wait->expired = !streamer_monitor_wait(wait->monitor, wait->deadline);
    }
    pthread_mutex_unlock(&wait->monitor->lock);
    return NULL;
}

static void interrupt(void *argument) {
    struct wait *wait = argument;
    pthread_mutex_lock(&wait->monitor->lock);
    wait->interrupted = true;
    streamer_monitor_notify(wait->monitor);
    pthread_mutex_unlock(&wait->monitor->lock);
}

/* Of the IOs that are waited for. */
static VALUE descriptor_class;

/* async (2.24) asks an IO for its own timeout when it is given none. */
static VALUE no_timeout(VALUE self) {
    (void)self;
    return Qnil;
}

void streamer_init_await(void) {
    descriptor_class = rb_define_class_under(streamer_module, "Descriptor", rb_cIO);
    if (!rb_method_boundp(rb_cIO, rb_intern("timeout"), 0)) { /* before Ruby 3.2 */
        rb_define_method(descriptor_class, "timeout", no_timeout, 0);
    }
}

VALUE streamer_io(int fd) {
    VALUE keywords = rb_hash_new();
    rb_hash_aset(keywords, ID2SYM(rb_intern("autoclose")), Qfalse);
    VALUE arguments[] = {INT2NUM(fd), rb_str_new_cstr("r"), keywords};
    return rb_funcallv_kw(descriptor_class, rb_intern("for_fd"), 3, arguments, RB_PASS_KEYWORDS);
}

/* From now on the monitor's descriptor tells of a change too. */
static void open_waker(struct streamer_monitor *monitor) {
    pthread_mutex_lock(&monitor->lock);
    bool open = monitor->waker.read_fd >= 0 || streamer_waker_open(&monitor->waker);
    pthread_mutex_unlock(&monitor->lock);
    if (!open) rb_sys_fail("streamer: no descriptor to wait with");
}

/* What a fiber waits for: its scheduler cannot be told by the native thread, which has no GVL, and watches a descriptor
 * instead. Each wait has its own: of one that several schedulers share the first would clear what the others have not
 * seen. Not on the fiber's stack, which may go without a word where the scheduler does. */
struct fiber_signal {
    struct streamer_observer observer;
    struct streamer_waker waker;
};

static void on_change(struct streamer_observer *observer) {
    streamer_waker_wake(&((struct fiber_signal *)observer)->waker);
}

struct fiber_wait {
    struct wait *wait;
    struct fiber_signal *signal;
    unsigned generation;
    VALUE scheduler;
};

static VALUE wait_for_descriptor(VALUE argument) {
    struct fiber_wait *fiber = (struct fiber_wait *)argument;
    struct wait *wait = fiber->wait;
    VALUE io = streamer_io(fiber->signal->waker.read_fd);
    while (!is_ready(wait) && !wait->expired) {
        int64_t left = wait->deadline < 0 ? -1 : wait->deadline - streamer_now();
        wait->expired = wait->deadline >= 0 && left <= 0;
        if (wait->expired) break;
        rb_fiber_scheduler_io_wait(fiber->scheduler, io, INT2NUM(RUBY_IO_READABLE),
                                   left < 0 ? Qnil : rb_float_new((double)left / 1000));
        streamer_waker_clear(&fiber->signal->waker);
    }
    RB_GC_GUARD(io);
    return Qnil;
}

static VALUE end_fiber_wait(VALUE argument) {
    struct fiber_wait *fiber = (struct fiber_wait *)argument;
    if (fiber->generation != streamer_fork_generation()) return Qnil; /* the lock and the descriptor are the parent's */
    streamer_monitor_lock(fiber->wait->monitor);
    streamer_monitor_unobserve(fiber->wait->monitor, &fiber->signal->observer);
    streamer_monitor_unlock(fiber->wait->monitor);
    streamer_waker_close(&fiber->signal->waker);
    free(fiber->signal);
    return Qnil;
}

static void wait_in_scheduler(struct wait *wait, VALUE scheduler) {
    if (is_ready(wait)) return;
    struct fiber_wait fiber = {.wait = wait,
                               .signal = calloc(1, sizeof *fiber.signal),
                               .generation = streamer_fork_generation(),
                               .scheduler = scheduler};
    if (fiber.signal == NULL || !streamer_waker_open(&fiber.signal->waker)) {
        free(fiber.signal);
        rb_sys_fail("streamer: no descriptor to wait with");
    }
    fiber.signal->observer.notify = on_change;
    streamer_monitor_lock(wait->monitor);
    streamer_monitor_observe(wait->monitor, &fiber.signal->observer);
    streamer_monitor_unlock(wait->monitor);
    rb_ensure(wait_for_descriptor, (VALUE)&fiber, end_fiber_wait, (VALUE)&fiber);
}

bool streamer_await(VALUE driver, struct streamer_monitor *monitor, bool (*ready)(void *), void *argument,
                    int64_t deadline) {
    if (driver != Qnil) return streamer_scheduler_await(driver, monitor, ready, argument, deadline);
    struct wait wait = {.monitor = monitor, .ready = ready, .argument = argument, .deadline = deadline};
    VALUE scheduler = rb_fiber_scheduler_current();
    if (scheduler != Qnil) {
        wait_in_scheduler(&wait, scheduler);
        return !wait.expired;
    }
    while (!is_ready(&wait) && !wait.expired) {
        wait.interrupted = false;
        rb_thread_call_without_gvl(wait_without_gvl, &wait, interrupt, &wait);
        rb_thread_check_ints();
    }
    return !wait.expired;
}

static void *poll_without_gvl(void *descriptors) {
    poll(descriptors, 2, -1);
    return NULL;
}

static void interrupt_poll(void *monitor) {
    streamer_waker_wake(&((struct streamer_monitor *)monitor)->waker);
}

void streamer_await_beside(struct streamer_monitor *monitor, bool (*ready)(void *), void *argument, int fd) {
    struct wait wait = {.monitor = monitor, .ready = ready, .argument = argument};
    open_waker(monitor);
    struct pollfd descriptors[] = {{.fd = fd, .events = POLLIN}, {.fd = monitor->waker.read_fd, .events = POLLIN}};
    if (is_ready(&wait)) return; /* what came before that descriptor was open */
    rb_thread_call_without_gvl(poll_without_gvl, descriptors, interrupt_poll, monitor);
    streamer_waker_clear(&monitor->waker);
    rb_thread_check_ints();
}
