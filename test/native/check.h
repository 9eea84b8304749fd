/* Checks that count and go on: the place and a message on stderr where one fails. */
#pragma once

#include <stdio.h>

static int passed, failed;

#define CHECK(condition, ...)                               \
    do {                                                    \
        if (condition) {                                    \
            passed++;                                       \
        } else {                                            \
            failed++;                                       \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__);                   \
            fputc('\n', stderr);                            \
        }                                                   \
    } while (0)
