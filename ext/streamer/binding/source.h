/* Waiting in a source of Streamer.merge or gather: a fiber that reads one of several upstreams
 * (lib/streamer/upstream/source.rb). It never waits itself: it yields to the fiber that resumed it, which waits for all
 * sources at once. */
#pragma once

#include <ruby.h>

#include <stdbool.h>

#include "../upstream/transfer.h"

/* In a source: returns true when ready(transfer), which is called with the transfer's lock held, and when it is this
 * source's turn. Anywhere else: false at once. */
bool streamer_await_in_source(VALUE object, struct streamer_transfer *transfer, bool (*ready)(void *));
