/* The native driver: one thread per process that runs a pool's loop and never touches Ruby.
 *
 * It serves everyone who is not in a fiber scheduler, and every relay to a socket. It starts when it is first asked
 * for, again in a forked child, and blocks all signals: those are Ruby's.
 */
#pragma once

#include "../upstream/pool.h"

/* This process's pool, its thread running. NULL when the system refuses; errno says why. The caller holds the GVL,
 * which is what keeps two threads from starting it at once. The pointer is good for the life of the process. */
struct streamer_pool *streamer_thread_pool(void);

/* The same, but NULL where the thread does not run: for whoever only looks. */
const struct streamer_pool *streamer_thread_running_pool(void);

/* Ends every transfer and the thread, for the process's exit. Nothing when it does not run. */
void streamer_thread_stop(void);
