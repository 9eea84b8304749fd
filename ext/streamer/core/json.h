/* JSON strings between their quotes: from text, to text, and from one way of writing them to the other. Internal.
 *
 * What is written is normalized, as Ruby's JSON.generate writes it: \" \\ \b \f \n \r \t, \u00xx in lower case for the
 * other control characters, every other character as UTF-8, "/" as it is.
 */
#pragma once

#include <stddef.h>

/* Bytes that streamer_json_escape writes: at most six for each of text. */
size_t streamer_json_escaped_length(const char *text, size_t length);

/* Text, which is well-formed UTF-8, as the inside of a JSON string. Returns the bytes written. */
size_t streamer_json_escape(char *out, const char *text, size_t length);

/* The characters of the inside of a valid JSON string; a lone surrogate becomes U+FFFD. Writes at most `length` bytes,
 * and returns how many. */
size_t streamer_json_unescape(char *out, const char *json, size_t length);

/* The inside of a valid JSON string normalized; a lone surrogate stays as it was written. Writes at most
 * `length` bytes, and returns how many. */
size_t streamer_json_normalize(char *out, const char *json, size_t length);

/* A valid JSON text without the whitespace between its tokens, each string normalized. Writes at most `length`
 * bytes, and returns how many. */
size_t streamer_json_compact(char *out, const char *json, size_t length);
