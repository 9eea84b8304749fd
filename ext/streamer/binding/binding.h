/* The binding: Ruby classes over the layers further in. It holds no logic of the stages.
 *
 * What the layers further in report becomes an exception in errors.c; waits happen in await.c and scheduler.c, and
 * nowhere else. No Ruby is called from within libcurl, nghttp2 or yajl. Structs on the heap hold no VALUE: what must
 * stay alive is an instance variable, so there is nothing to mark or to move, but for the fibers that wait
 * (scheduler.c).
 */
#pragma once

#include <ruby.h>
#include <ruby/encoding.h>

extern VALUE streamer_module;

void streamer_init_errors(void);
void streamer_init_await(void);
void streamer_init_scheduler(void);
void streamer_init_headers(void);
void streamer_init_decoder(void);
void streamer_init_extractor(void);
void streamer_init_encoder(void);
void streamer_init_pipeline(void);
void streamer_init_transfer(void);
void streamer_init_group(void);
void streamer_init_browser_socket(void);
void streamer_init_relay(void);
void streamer_init_fanout(void);
