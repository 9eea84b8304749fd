/* Delays in microseconds, and what a report says of them. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint32_t delay_between(uint64_t from_ns, uint64_t to_ns) {
    uint64_t delay = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
    return delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX;
}

static inline int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static inline uint32_t percentile(const uint32_t *sorted, long count, double fraction) {
    return count > 0 ? sorted[(long)((double)(count - 1) * fraction)] : 0;
}

/* As a member of a JSON object; sorts the values. */
static inline void print_percentiles(const char *name, uint32_t *values, long count, double unit) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    printf("\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
           percentile(values, count, 0.5) / unit, percentile(values, count, 0.9) / unit,
           percentile(values, count, 0.95) / unit, percentile(values, count, 0.99) / unit,
           percentile(values, count, 1) / unit);
}
