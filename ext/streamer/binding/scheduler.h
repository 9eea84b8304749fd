/* The driver for fiber schedulers: leader and followers on one descriptor.
 *
 * A thread that runs a scheduler has a reactor of its own. Of the fibers that wait for its transfers one is the leader:
 * it waits for the reactor's descriptor, one io_wait whatever the number of transfers, takes the turns, and unblocks
 * the fibers whose transfers have news. When it has what it came for, or is cancelled, another takes its place. No
 * fiber is ever started, so there is nothing that could die with somebody's task or keep an event loop alive.
 *
 * Of the scheduler only the mandatory hooks are used: block, unblock, io_wait. Turns run with the GVL
 * and call no Ruby, so the GVL is the lock: any Ruby thread may take one.
 */
#pragma once

#include <ruby.h>

#include <stdbool.h>

#include "../upstream/transfer.h"

/* The driver of the current thread, made when there is none (or only the parent process's). */
VALUE streamer_scheduler_driver(void);

/* Its reactor. */
struct streamer_reactor *streamer_scheduler_reactor(VALUE driver);

/* Waits until ready(argument), called with monitor->lock held. Interrupted as streamer_wait is. `waiter` is the field in
 * which the transfer or the group keeps who waits for it. */
void streamer_scheduler_wait(VALUE driver, struct streamer_monitor *monitor, void **waiter, bool (*ready)(void *),
                             void *argument);

/* Takes one turn without waiting, so that what was posted happens now. */
void streamer_scheduler_turn(VALUE driver);
