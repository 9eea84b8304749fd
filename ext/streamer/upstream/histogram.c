#include "histogram.h"

enum { SMALLEST = 8, STEPS = 3 }; /* powers of two: of the first bucket's end, and of the buckets in each octave */

static int bucket_of(int64_t microseconds) {
    if (microseconds < 1 << SMALLEST) return 0;
    int octave = 63 - __builtin_clzll((unsigned long long)microseconds);
    int step = (int)(microseconds >> (octave - STEPS)) & ((1 << STEPS) - 1);
    int bucket = ((octave - SMALLEST) << STEPS) + step;
    return bucket < STREAMER_HISTOGRAM_BUCKETS ? bucket : STREAMER_HISTOGRAM_BUCKETS - 1;
}

static int64_t end_of(int bucket) {
    int octave = SMALLEST + (bucket >> STEPS), step = bucket & ((1 << STEPS) - 1);
    return ((int64_t)(1 << STEPS) + step + 1) << (octave - STEPS);
}

static void halve(struct streamer_histogram *gaps) {
    for (int bucket = 0; bucket < STREAMER_HISTOGRAM_BUCKETS; bucket++) gaps->counts[bucket] /= 2;
}

void streamer_histogram_add(struct streamer_histogram *gaps, int64_t microseconds) {
    uint16_t *count = &gaps->counts[bucket_of(microseconds)];
    if (*count == UINT16_MAX) halve(gaps);
    (*count)++;
    if (microseconds > gaps->longest) gaps->longest = microseconds;
}

int64_t streamer_histogram_percentile(const struct streamer_histogram *gaps, int percent) {
    uint64_t count = 0, seen = 0;
    for (int bucket = 0; bucket < STREAMER_HISTOGRAM_BUCKETS; bucket++) count += gaps->counts[bucket];
    uint64_t wanted = (count * (uint64_t)percent + 99) / 100;
    for (int bucket = 0; bucket < STREAMER_HISTOGRAM_BUCKETS && wanted > 0; bucket++) {
        seen += gaps->counts[bucket];
        if (seen < wanted) continue;
        return end_of(bucket) < gaps->longest ? end_of(bucket) : gaps->longest;
    }
    return gaps->longest;
}
