/* The binding: Ruby classes over the layers further in. It holds no logic of the stages.
 *
 * Errors are raised in errors.c, waits happen in waiting.c and scheduler.c, and nowhere else. No Ruby is called from
 * within libcurl or yajl. Structs hold no VALUE: what must stay alive is an instance variable, so there is nothing to
 * mark or to move.
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
