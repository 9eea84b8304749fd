/* The driver for fiber schedulers: leader and followers on one descriptor.
 *
 * A thread that runs a scheduler has a pool, and a loop, of its own. Of the fibers that wait for its transfers one is
 * the leader: it waits for the loop's descriptor, one io_wait whatever the number of transfers, runs the iterations,
 * and unblocks the fibers whose monitors were notified. When it has what it came for, or is cancelled, another takes
 * its place. No fiber is ever started, so there is nothing that could die with somebody's task or keep an event loop
 * alive.
 *
 * Of the scheduler only the mandatory hooks are used: block, unblock, io_wait. Iterations run with the GVL and call no
 * Ruby, so the GVL is the lock: any Ruby thread may run one.
 */
#pragma once

#include <ruby.h>

#include <stdbool.h>
#include <stdint.h>

#include "../loop/monitor.h"
#include "../upstream/pool.h"

/* The driver of the current thread, made when there is none (or only the parent process's). */
VALUE streamer_scheduler_driver(void);

/* Its pool. */
struct streamer_pool *streamer_scheduler_pool(VALUE driver);

/* streamer_await's part with a driver. */
bool streamer_scheduler_await(VALUE driver, struct streamer_monitor *monitor, bool (*ready)(void *), void *argument,
                              int64_t deadline);

/* Runs one iteration without waiting, so that what was posted happens now. */
void streamer_scheduler_iterate(VALUE driver);
