/* What a process and its descendants have used. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct usage {
    double cpu;  /* s */
    long memory; /* KiB (PSS) */
};

/* Memory takes the kernel milliseconds to add up. */
static inline void add_usage(int pid, bool memory, struct usage *usage) {
    char path[64], line[256];
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
        usage->cpu += (double)time.tv_sec + (double)time.tv_nsec / 1e9;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = memory ? fopen(path, "r") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        long size;
        if (sscanf(line, "Pss: %ld", &size) == 1) usage->memory += size;
    }
    if (file != NULL) fclose(file);

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    file = fopen(path, "r");
    int child;
    while (file != NULL && fscanf(file, "%d", &child) == 1) add_usage(child, memory, usage);
    if (file != NULL) fclose(file);
}

/* Nothing for pid 0. */
static inline struct usage usage_of(int pid) {
    struct usage usage = {0};
    if (pid > 0) add_usage(pid, true, &usage);
    return usage;
}

static inline double cpu_of(int pid) {
    struct usage usage = {0};
    if (pid > 0) add_usage(pid, false, &usage);
    return usage.cpu;
}
