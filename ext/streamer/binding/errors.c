#include "errors.h"

#include "../core/ceilings.h"
#include "../loop/fork.h"
#include "binding.h"

VALUE streamer_error;
VALUE streamer_browser_disconnected;

static VALUE error_class(const char *name) {
    return rb_const_get(streamer_module, rb_intern(name));
}

static const char *class_of_status(enum streamer_status status) {
    switch (status) {
        case STREAMER_LINE_TOO_LONG: return "LineTooLongError";
        case STREAMER_EVENT_TOO_LARGE: return "EventTooLargeError";
        case STREAMER_TRUNCATED: return "TruncatedError";
        case STREAMER_JSON_INVALID:
        case STREAMER_JSON_TOO_DEEP:
        case STREAMER_JSON_TOO_LARGE: return "InvalidJSONError";
        default: return "Error";
    }
}

VALUE streamer_error_for_status(enum streamer_status status) {
    if (status == STREAMER_NO_MEMORY) rb_memerror();
    VALUE class = status == STREAMER_PATH_INVALID || status == STREAMER_FIELD_INVALID
                      ? rb_eArgError
                      : error_class(class_of_status(status));
    return rb_exc_new_cstr(class, streamer_status_message(status));
}

VALUE streamer_upstream_error(enum streamer_status status, const char *bytes, size_t length, bool document) {
    if (length > STREAMER_MAX_FIELD) length = STREAMER_MAX_FIELD;
    const char *origin = status == STREAMER_UNWANTED ? "unwanted" : document ? "document" : "event";
    VALUE arguments[] = {rb_utf8_str_new(bytes, (long)length), ID2SYM(rb_intern(origin))};
    return rb_class_new_instance(2, arguments, error_class("UpstreamError"));
}

void streamer_raise_status(enum streamer_status status) {
    rb_exc_raise(streamer_error_for_status(status));
}

static const char *class_of_outcome(enum streamer_outcome outcome) {
    switch (outcome) {
        case STREAMER_OUTCOME_CANCELLED: return "CancelledError";
        case STREAMER_OUTCOME_RESOLVE_FAILED: return "ResolveError";
        case STREAMER_OUTCOME_CONNECT_FAILED: return "ConnectError";
        case STREAMER_OUTCOME_TLS_FAILED: return "TLSError";
        case STREAMER_OUTCOME_CLOSED: return "ClosedError";
        case STREAMER_OUTCOME_PROTOCOL_ERROR: return "ProtocolError";
        case STREAMER_OUTCOME_HEADERS_TOO_LARGE: return "HeadersTooLargeError";
        case STREAMER_OUTCOME_FORBIDDEN_ADDRESS: return "ForbiddenAddressError";
        case STREAMER_OUTCOME_QUEUE_TIMEOUT: return "QueueTimeoutError";
        case STREAMER_OUTCOME_CONNECT_TIMEOUT: return "ConnectTimeoutError";
        case STREAMER_OUTCOME_FIRST_BYTE_TIMEOUT: return "FirstByteTimeoutError";
        case STREAMER_OUTCOME_FIRST_EVENT_TIMEOUT: return "FirstEventTimeoutError";
        case STREAMER_OUTCOME_IDLE_TIMEOUT: return "IdleTimeoutError";
        case STREAMER_OUTCOME_EVENT_IDLE_TIMEOUT: return "EventIdleTimeoutError";
        case STREAMER_OUTCOME_TOTAL_TIMEOUT: return "TotalTimeoutError";
        case STREAMER_OUTCOME_SINK_FAILED: return "BrowserDisconnectedError";
        default: return "ConnectionError";
    }
}

void streamer_raise_outcome(enum streamer_outcome outcome, const char *detail, VALUE timings) {
    if (outcome == STREAMER_OUTCOME_NO_MEMORY) rb_memerror();
    const char *message = streamer_outcome_message(outcome);
    VALUE class = outcome == STREAMER_OUTCOME_REQUEST_INVALID ? rb_eArgError : error_class(class_of_outcome(outcome));
    VALUE text = detail[0] == '\0' ? rb_str_new_cstr(message) : rb_sprintf("%s: %s", message, detail);
    VALUE error = rb_exc_new_str(class, text);
    rb_ivar_set(error, rb_intern("@timings"), timings);
    rb_exc_raise(error);
}

void streamer_check_generation(unsigned generation, const char *what) {
    if (generation == streamer_fork_generation()) return;
    rb_raise(error_class("ForkError"), "%s belongs to the process that forked this one; make a new request here", what);
}

void streamer_init_errors(void) {
    streamer_error = error_class("Error");
    streamer_browser_disconnected = error_class("BrowserDisconnectedError");
    rb_global_variable(&streamer_error);
    rb_global_variable(&streamer_browser_disconnected);
}
