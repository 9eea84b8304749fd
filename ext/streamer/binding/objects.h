/* What the classes of the upstream's side and the browser's side lend each other. */
#pragma once

#include <ruby.h>

#include "../sink/browser.h"
#include "../upstream/transfer.h"

/* The transfer behind a Streamer::Transfer, of this process. */
struct streamer_transfer *streamer_get_transfer(VALUE object);

/* Whether the native thread drives it, rather than a fiber scheduler's leader. */
bool streamer_transfer_is_native(VALUE object);

/* The driver of the fiber scheduler that it belongs to; nil when the native thread drives it. */
VALUE streamer_transfer_driver(VALUE object);

/* Raises how it failed; returns when it is complete, or still open. */
void streamer_raise_failure(struct streamer_transfer *transfer);

/* The browser behind a Streamer::BrowserSocket, of this process. */
struct streamer_browser *streamer_get_browser(VALUE object);
