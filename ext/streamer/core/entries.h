/* entries: frames that are entries of a log (docs/log.md): what each adds to the log's text, and under what name an
 * event that passes through is in it. Internal.
 *
 * An entry's text is the String that its data, a JSON object, has under "content". An entry without one is kept as a
 * frame beside the text, so that nothing is lost where many entries become one.
 */
#pragma once

#include <stddef.h>

#include "buffer.h"
#include "encode.h"
#include "extract.h"

/* What an entry's text is found under, and what stands before a type that the log uses itself. */
#define STREAMER_ENTRY_TEXT "content"
#define STREAMER_ENTRY_PREFIX "upstream."

struct streamer_entries {
    struct streamer_extractor *content;
    struct streamer_buffer reserved;     /* the log's own types, each with its length in front */
    struct streamer_buffer type;         /* one of them behind the prefix */
    struct streamer_buffer text, others; /* of the entries since they were taken */
};

/* Names are copied. STREAMER_OK, STREAMER_FIELD_INVALID or STREAMER_NO_MEMORY. */
enum streamer_status streamer_entries_new(struct streamer_entries **entries, const char *const *reserved,
                                          const size_t *lengths, size_t count);
void streamer_entries_free(struct streamer_entries *entries); /* NULL is fine */

/* Sets the frame's event to a type that came with an event, or to what it is called in a log. */
enum streamer_status streamer_entries_name(struct streamer_entries *entries, struct streamer_frame *frame,
                                           const char *type, size_t length);

/* The text of an event that passes through; STREAMER_KIND_NONE for none. Points into the data. STREAMER_OK or
 * STREAMER_NO_MEMORY. */
enum streamer_status streamer_entries_find(struct streamer_entries *entries, const char *data, size_t length,
                                           struct streamer_value *text);

/* {"content":"..."} of text that is no JSON, in place of what is in the buffer. Returns as
 * streamer_buffer_reserve. */
enum streamer_status streamer_entries_wrap(struct streamer_buffer *buffer, const char *text, size_t length);

/* An entry was written. text: its value, or NULL for none. STREAMER_OK, STREAMER_EVENT_TOO_LARGE (more than anybody
 * takes at once) or STREAMER_NO_MEMORY; on anything but OK nothing was added. */
enum streamer_status streamer_entries_add(struct streamer_entries *entries, const struct streamer_value *text,
                                          const char *frame, size_t length);

/* Bytes of heap held. */
size_t streamer_entries_size(const struct streamer_entries *entries);
