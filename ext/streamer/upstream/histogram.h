/* histogram: how long it was between two things that keep happening, in a fixed, small piece of memory, for each stream
 * has one: a histogram whose buckets grow with what they hold, eight to each power of two, so that a percentile is at
 * most an eighth too large. When a bucket is full, all are halved: their shares stay. */
#pragma once

#include <stdint.h>

/* From 256 microseconds, below which all are alike, to 71 minutes, beyond which all are alike. */
enum { STREAMER_HISTOGRAM_BUCKETS = 24 * 8 };

struct streamer_histogram {
    uint16_t counts[STREAMER_HISTOGRAM_BUCKETS];
    int64_t longest; /* microseconds, exact; 0 for none */
};

void streamer_histogram_add(struct streamer_histogram *gaps, int64_t microseconds);

/* The length that `percent` of a hundred gaps do not exceed, in microseconds; 0 when there was no gap. */
int64_t streamer_histogram_percentile(const struct streamer_histogram *gaps, int percent);
