#include "status.h"

const char *streamer_status_name(enum streamer_status status) {
    switch (status) {
#define X(code, message) \
    case STREAMER_##code: return #code;
        STREAMER_STATUS_MAP(X)
#undef X
    }
    return "UNKNOWN";
}

const char *streamer_status_message(enum streamer_status status) {
    switch (status) {
#define X(code, message) \
    case STREAMER_##code: return message;
        STREAMER_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}
