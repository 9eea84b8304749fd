#include "watch.h"

#include <string.h>

#include "limits.h"
#include "test.h"

static struct streamer_event event_of(const char *type, const char *data) {
    return (struct streamer_event){type, strlen(type), data, strlen(data), "", 0};
}

static struct streamer_watch *watch_of(const struct streamer_watch_options *options) {
    struct streamer_watch *watch = NULL;
    CHECK_STATUS(STREAMER_OK, streamer_watch_new(&watch, options));
    CHECK(streamer_watch_size(watch) == heap_bytes());
    return watch;
}

#define DONE .done = "[DONE]", .done_length = 6
#define ERROR .error = "error", .error_length = 5

static void knows_an_error_from_outside(void) {
    static const struct {
        const char *type, *data;
        enum streamer_verdict verdict;
    } events[] = {
        {"error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", STREAMER_COMPLAINT},
        {"error", "no JSON", STREAMER_COMPLAINT},
        {"message", "{\"error\":{\"message\":\"no\"}}", STREAMER_COMPLAINT},
        {"message", "{ \n\t\"error\" : \"no\"}", STREAMER_COMPLAINT},
        {"message", "{\"error\":null}", STREAMER_ORDINARY},
        {"message", "{\"error\":false}", STREAMER_ORDINARY},
        {"message", "{\"error\":\"\"}", STREAMER_ORDINARY},
        {"message", "{\"errors\":[]}", STREAMER_ORDINARY},
        {"message", "{\"error\"", STREAMER_ORDINARY},
        {"message", "{\"error\": no", STREAMER_ORDINARY},
        {"message", "{\"a\":1,\"error\":\"no\"}", STREAMER_ORDINARY},
        {"message", "{}", STREAMER_ORDINARY},
        {"message", "{", STREAMER_ORDINARY},
        {"message", "", STREAMER_ORDINARY},
        {"message", "[\"error\"]", STREAMER_ORDINARY},
        {"errors", "{}", STREAMER_ORDINARY},
        {"message", "[DONE]", STREAMER_MARKER},
        {"message", "[DONE] ", STREAMER_ORDINARY},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        test_about(events[i].data);
        struct streamer_watch *watch = watch_of(&(struct streamer_watch_options){DONE, ERROR});
        struct streamer_event event = event_of(events[i].type, events[i].data);
        CHECK(streamer_watch_event(watch, &event) == events[i].verdict);
        CHECK(streamer_watch_done(watch) == (events[i].verdict == STREAMER_MARKER));
        streamer_watch_free(watch);
    }
}

static void finds_an_error_anywhere_when_asked_to(void) {
    struct streamer_watch *watch = watch_of(&(struct streamer_watch_options){ERROR});
    struct streamer_event found = event_of("message", "{\"id\":1,\"error\":{\"code\":502}}");
    struct streamer_event none = event_of("message", "{\"id\":1,\"inner\":{\"error\":{}}}");
    struct streamer_event broken = event_of("message", "{\"id\":1,\"error\":");
    CHECK(streamer_watch_complains(watch, &found));
    CHECK(!streamer_watch_complains(watch, &none));
    CHECK(!streamer_watch_complains(watch, &broken));
    streamer_watch_free(watch);

    watch = watch_of(&(struct streamer_watch_options){.error = "response.error", .error_length = 14});
    struct streamer_event deep = event_of("message", "{\"type\":\"x\",\"response\":{\"id\":1,\"error\":{}}}");
    CHECK(streamer_watch_event(watch, &deep) == STREAMER_ORDINARY);
    CHECK(streamer_watch_complains(watch, &deep));
    struct streamer_event first = event_of("message", "{\"response\":{\"id\":1,\"error\":{}}}");
    CHECK(streamer_watch_event(watch, &first) == STREAMER_COMPLAINT);
    streamer_watch_free(watch);
}

static void takes_no_event_for_an_error_unless_asked(void) {
    struct streamer_watch *watch = watch_of(&(struct streamer_watch_options){0});
    struct streamer_event event = event_of("error", "{\"error\":1}");
    CHECK(streamer_watch_event(watch, &event) == STREAMER_ORDINARY);
    CHECK(!streamer_watch_complains(watch, &event));
    CHECK(streamer_watch_complete(watch));
    streamer_watch_free(watch);
}

static void knows_the_end_by_type_and_by_value(void) {
    static const char *const types[] = {"message_stop", "response.completed"};
    static const size_t lengths[] = {12, 18};
    struct streamer_watch *watch = watch_of(&(struct streamer_watch_options){
        .done_types = types, .done_type_lengths = lengths, .done_type_count = 2, .done_required = true});
    struct streamer_event event = event_of("message_start", "{}"), last = event_of("response.completed", "{}");
    CHECK(streamer_watch_event(watch, &event) == STREAMER_ORDINARY);
    CHECK(!streamer_watch_complete(watch));
    CHECK(streamer_watch_event(watch, &last) == STREAMER_LAST);
    CHECK(streamer_watch_complete(watch) && streamer_watch_done(watch));
    streamer_watch_free(watch);

    watch =
        watch_of(&(struct streamer_watch_options){.done_path = "done", .done_path_length = 4, .done_required = true});
    event = event_of("message", "{\"a\":1,\"done\":false}"), last = event_of("message", "{\"a\":1,\"done\":true}");
    CHECK(streamer_watch_event(watch, &event) == STREAMER_ORDINARY);
    CHECK(streamer_watch_event(watch, &last) == STREAMER_LAST);
    CHECK(streamer_watch_complete(watch));
    streamer_watch_free(watch);
}

static void refuses_what_cannot_be_watched_for(void) {
    static const char *const types[STREAMER_MAX_MARKERS + 1] = {"a", "a", "a", "a", "a", "a", "a", "a", "a"};
    static const size_t lengths[STREAMER_MAX_MARKERS + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct streamer_watch *watch;
    CHECK_STATUS(STREAMER_FIELD_INVALID, streamer_watch_new(&watch, &(struct streamer_watch_options){
                                                                        .done_types = types,
                                                                        .done_type_lengths = lengths,
                                                                        .done_type_count = STREAMER_MAX_MARKERS + 1}));
    CHECK_STATUS(STREAMER_PATH_INVALID,
                 streamer_watch_new(&watch, &(struct streamer_watch_options){.error = "a..b", .error_length = 4}));
    CHECK_STATUS(
        STREAMER_PATH_INVALID,
        streamer_watch_new(&watch, &(struct streamer_watch_options){ERROR, .done_path = ".", .done_path_length = 1}));
}

static void says_so_whichever_request_for_memory_fails(void) {
    for (size_t request = 1;; request++) {
        heap_fail_at(request);
        struct streamer_watch *watch = NULL;
        enum streamer_status status = streamer_watch_new(
            &watch, &(struct streamer_watch_options){DONE, ERROR, .done_path = "done", .done_path_length = 4});
        bool failed = heap_failed();
        heap_fail_at(0);
        CHECK_STATUS(failed ? STREAMER_NO_MEMORY : STREAMER_OK, status);
        CHECK(!failed || heap_blocks() == 0);
        if (failed) continue;
        streamer_watch_free(watch);
        CHECK(request == 4);
        break;
    }
}

void watch_tests(void) {
    RUN(knows_an_error_from_outside);
    RUN(finds_an_error_anywhere_when_asked_to);
    RUN(takes_no_event_for_an_error_unless_asked);
    RUN(knows_the_end_by_type_and_by_value);
    RUN(refuses_what_cannot_be_watched_for);
    RUN(says_so_whichever_request_for_memory_fails);
}
