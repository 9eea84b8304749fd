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

enum streamer_outcome streamer_outcome_of_connecting(CURLcode code) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return STREAMER_OUTCOME_RESOLVE_FAILED;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS: return STREAMER_OUTCOME_TLS_FAILED;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_BAD_FUNCTION_ARGUMENT: return STREAMER_OUTCOME_REQUEST_INVALID;
        case CURLE_OPERATION_TIMEDOUT: return STREAMER_OUTCOME_CONNECT_TIMEOUT;
        case CURLE_OUT_OF_MEMORY: return STREAMER_OUTCOME_NO_MEMORY;
        default: return STREAMER_OUTCOME_CONNECT_FAILED;
    }
}
