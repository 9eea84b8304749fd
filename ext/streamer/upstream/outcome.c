#include "outcome.h"

const char *streamer_outcome_name(enum streamer_outcome outcome) {
    switch (outcome) {
#define X(code, message) \
    case STREAMER_OUTCOME_##code: return #code;
        STREAMER_OUTCOME_MAP(X)
#undef X
    }
    return "UNKNOWN";
}

const char *streamer_outcome_message(enum streamer_outcome outcome) {
    switch (outcome) {
#define X(code, message) \
    case STREAMER_OUTCOME_##code: return message;
        STREAMER_OUTCOME_MAP(X)
#undef X
    }
    return "unknown";
}
