/* The one place that turns codes into Ruby exceptions. */
#pragma once

#include <ruby.h>
#include <stdbool.h>

#include "../core/status.h"
#include "../upstream/outcome.h"

/* The classes of lib/streamer/errors.rb that C code names. */
extern VALUE streamer_error;
extern VALUE streamer_browser_disconnected;

/* The exception for a status other than OK, MORE, EVENT, FULL and MISSING. */
VALUE streamer_error_for_status(enum streamer_status status);

/* What the upstream said of its own failure, or the document that nobody wanted (STREAMER_UNWANTED): an UpstreamError.
 */
VALUE streamer_upstream_error(enum streamer_status status, const char *bytes, size_t length, bool document);

/* Raises it. */
NORETURN(void streamer_raise_status(enum streamer_status status));

/* Raises the exception for an outcome other than OPEN and COMPLETED; `detail` is libcurl's words or empty; `timings` is
 * what the error's #timings gives. */
NORETURN(void streamer_raise_outcome(enum streamer_outcome outcome, const char *detail, VALUE timings));

/* Raises Streamer::ForkError when `generation` is not this process's. `what` begins the sentence: "this response". */
void streamer_check_generation(unsigned generation, const char *what);
