/* Waiting in a branch: a fiber that reads one of several upstreams for Streamer.merge or gather
 * (lib/streamer/branch.rb). It never waits itself. It gives the turn back to the fiber that resumed it, which waits for
 * all branches at once. */
#pragma once

#include <ruby.h>

#include <stdbool.h>

#include "../upstream/transfer.h"

/* In a branch: returns true when ready(transfer), which is called with the transfer's lock held, and when it is this
 * branch's turn. Anywhere else: false at once. */
bool streamer_wait_in_branch(VALUE object, struct streamer_transfer *transfer, bool (*ready)(void *));
