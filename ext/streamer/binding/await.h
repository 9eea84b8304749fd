/* The one way to wait, from any Ruby thread or fiber. */
#pragma once

#include <ruby.h>

#include <stdbool.h>
#include <stdint.h>

#include "../loop/monitor.h"

/* Waits until ready(argument), which is called with monitor->lock held, or until `deadline` (streamer_now's clock;
 * negative: none), which gives false.
 *
 * driver: Qnil for what the native thread drives. Outside a fiber scheduler the GVL is released; inside one only the
 * fiber waits. Otherwise the driver of a fiber scheduler (scheduler.h), which this fiber may lead.
 *
 * Thread#raise, Timeout, Thread#kill, signals and a stopped task interrupt it by raising from here: nothing is left
 * behind, and the caller undoes its own work under rb_ensure. */
bool streamer_await(VALUE driver, struct streamer_monitor *monitor, bool (*ready)(void *), void *argument,
                    int64_t deadline);

/* Outside a fiber scheduler: waits until ready(argument) or until `fd` is readable. May return spuriously, and is
 * interrupted as streamer_await is. */
void streamer_await_beside(struct streamer_monitor *monitor, bool (*ready)(void *), void *argument, int fd);

/* An IO for a scheduler to wait with. The descriptor stays its owner's: the IO never closes it. */
VALUE streamer_io(int fd);
