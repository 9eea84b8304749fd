/* Finds "@SEQUENCE:TIME " in bytes, however they are cut and whatever is in between. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct token {
    enum { OUTSIDE, IN_SEQUENCE, IN_TIME } place;
    uint64_t sequence, time;
};

/* Whether this character ended one. */
static inline bool token_take(struct token *token, char character) {
    if (character == '@') {
        token->place = IN_SEQUENCE;
        token->sequence = token->time = 0;
    } else if (token->place == OUTSIDE) {
        return false;
    } else if (character >= '0' && character <= '9') {
        uint64_t *number = token->place == IN_TIME ? &token->time : &token->sequence;
        *number = *number * 10 + (uint64_t)(character - '0');
    } else if (character == ':' && token->place == IN_SEQUENCE) {
        token->place = IN_TIME;
    } else {
        bool whole = token->place == IN_TIME;
        token->place = OUTSIDE;
        return whole;
    }
    return false;
}
