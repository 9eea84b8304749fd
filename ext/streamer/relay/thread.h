/* The native driver: one thread per process that runs a reactor and never touches Ruby.
 *
 * It serves everyone who is not in a fiber scheduler, and every relay. It starts when it is first asked for, anew in a
 * forked child, and blocks all signals: those are Ruby's.
 */
#pragma once

#include "../loop/loop.h"

/* This process's reactor, its thread running. NULL when the system refuses; errno says why. The caller holds the GVL,
 * which is what keeps two threads from starting it at once. The pointer is good for the life of the process. */
struct streamer_reactor *streamer_thread_reactor(void);

/* Ends every transfer and the thread, for the process's exit. Nothing when it does not run. */
void streamer_thread_stop(void);
