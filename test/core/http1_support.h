/* What the tests of HTTP/1.1 share: transcripts of heads and bodies that come in parts, and of the same by the oracle,
 * which has all of it at once and decides with regular expressions. */
#pragma once

#include "http1_head.h"
#include "test.h"

/* "HTTP/1.1 200, LENGTH 5, persists" and the fields as they are kept; or the name of an error, or MORE. Returns how
 * many bytes the head has, once it is complete. */
size_t transcript_head(struct transcript *transcript, const char *method, const char *text, size_t length,
                       struct cut cut);
size_t transcript_head_by_oracle(struct transcript *transcript, const char *method, const char *text, size_t length);

/* The data in quotes and how the reading ended: OK with the number of bytes that belong to the body, MORE with what
 * close makes of it, or an error. */
void transcript_body(struct transcript *transcript, enum streamer_body_framing framing, uint64_t content_length,
                     const char *text, size_t length, struct cut cut);
void transcript_chunks_by_oracle(struct transcript *transcript, const char *text, size_t length);
