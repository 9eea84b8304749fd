#include "classifier.h"

#include <string.h>

#include "ceilings.h"
#include "test.h"

static struct streamer_event event_of(const char *type, const char *data) {
    return (struct streamer_event){type, strlen(type), data, strlen(data), "", 0};
}

static struct streamer_classifier *classifier_of(const struct streamer_classifier_options *options) {
    struct streamer_classifier *classifier = NULL;
    CHECK_STATUS(STREAMER_OK, streamer_classifier_new(&classifier, options));
    CHECK(streamer_classifier_size(classifier) == heap_bytes());
    return classifier;
}

#define DONE .done = "[DONE]", .done_length = 6
#define ERROR .error = "error", .error_length = 5

static void an_error_is_what_is_at_the_path_of_errors(void) {
    static const struct {
        const char *type, *data;
        enum streamer_event_class class;
    } events[] = {
        {"error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", STREAMER_CLASS_ERROR},
        {"error", "no JSON", STREAMER_CLASS_ERROR},
        {"error", "", STREAMER_CLASS_ERROR},
        {"message", "{\"error\":{\"message\":\"no\"}}", STREAMER_CLASS_FAILED},
        {"message", "{ \n\t\"error\" : \"no\"}", STREAMER_CLASS_FAILED},
        {"message", "{\"a\":1,\"error\":\"no\"}", STREAMER_CLASS_FAILED},
        {"message", "{\"id\":\"error\",\"choices\":[{\"error\":1}],\"error\":{\"code\":502}}", STREAMER_CLASS_FAILED},
        {"message", "{\"error\":{}}", STREAMER_CLASS_FAILED},
        {"message", "{\"error\":true}", STREAMER_CLASS_FAILED},
        {"message", "{\"error\":null}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"error\":false}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"error\":\"\"}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"type\":\"error\",\"message\":\"no\"}", STREAMER_CLASS_FAILED},
        {"message", "{\"code\":1,\"error\":null, \"type\" : \"error\"}", STREAMER_CLASS_FAILED},
        {"message", "{\"type\":\"errors\",\"of\":\"error\"}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"in\":{\"type\":\"error\"}}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"errors\":[]}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"error\"", STREAMER_CLASS_ORDINARY},
        {"message", "{\"error\": no", STREAMER_CLASS_ORDINARY},
        {"message", "{\"finish_reason\":\"error\"}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"text\":\"an \\\"error\\\": no\"}", STREAMER_CLASS_ORDINARY},
        {"message", "{\"inner\":{\"error\":1}}", STREAMER_CLASS_ORDINARY},
        {"message", "the \"error\" of text", STREAMER_CLASS_ORDINARY},
        {"message", "{}", STREAMER_CLASS_ORDINARY},
        {"message", "{", STREAMER_CLASS_ORDINARY},
        {"message", "", STREAMER_CLASS_ORDINARY},
        {"message", "[\"error\"]", STREAMER_CLASS_ORDINARY},
        {"errors", "{}", STREAMER_CLASS_ORDINARY},
        {"message", "[DONE]", STREAMER_CLASS_MARKER},
        {"message", "[DONE] ", STREAMER_CLASS_ORDINARY},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        test_about(events[i].data);
        struct streamer_classifier *classifier = classifier_of(&(struct streamer_classifier_options){DONE, ERROR});
        struct streamer_event event = event_of(events[i].type, events[i].data);
        CHECK(streamer_classifier_event(classifier, &event) == events[i].class);
        CHECK(streamer_classifier_done(classifier) == (events[i].class == STREAMER_CLASS_MARKER));
        streamer_classifier_free(classifier);
    }
}

static void the_path_of_errors_may_lead_farther_and_have_alternatives(void) {
    static const char path[] = "error|response.error|items.*{bad=yes}.reason|choices.0.finish_reason{=error}";
    static const struct {
        const char *data;
        enum streamer_event_class class;
    } events[] = {
        {"{\"error\":\"x\"}", STREAMER_CLASS_FAILED},
        {"{\"type\":\"x\",\"response\":{\"id\":1,\"error\":\"x\"}}", STREAMER_CLASS_FAILED},
        {"{\"items\":[{\"reason\":\"a\"},{\"reason\":\"b\",\"bad\":\"yes\"}]}", STREAMER_CLASS_FAILED},
        {"{\"items\":[{\"reason\":\"a\"}]}", STREAMER_CLASS_ORDINARY},
        {"{\"response\":{\"error\":null},\"error\":null}", STREAMER_CLASS_ORDINARY},
        {"{\"error\":{\"message\":\"x\"}}", STREAMER_CLASS_FAILED},
        {"{\"response\":{\"error\":{}},\"error\":null}", STREAMER_CLASS_FAILED},
        {"{\"response\":{\"error\":[1]},\"error\":false}", STREAMER_CLASS_FAILED},
        {"{\"response\":{\"error\":\"x\"},\"error\":\"\"}", STREAMER_CLASS_FAILED},
        {"{\"choices\":[{\"finish_reason\":\"error\"}]}", STREAMER_CLASS_FAILED},
        {"{\"choices\":[{\"finish_reason\":\"stop\",\"note\":\"error\"}]}", STREAMER_CLASS_ORDINARY},
        {"{\"choices\":[{\"finish_reason\":{\"error\":1}}]}", STREAMER_CLASS_ORDINARY},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        test_about(events[i].data);
        struct streamer_classifier *classifier =
            classifier_of(&(struct streamer_classifier_options){.error = path, .error_length = strlen(path)});
        struct streamer_event event = event_of("message", events[i].data);
        CHECK(streamer_classifier_event(classifier, &event) == events[i].class);
        streamer_classifier_free(classifier);
    }
}

static void takes_no_event_for_an_error_unless_asked(void) {
    struct streamer_classifier *classifier = classifier_of(&(struct streamer_classifier_options){0});
    struct streamer_event event = event_of("error", "{\"error\":1}");
    CHECK(streamer_classifier_event(classifier, &event) == STREAMER_CLASS_ORDINARY);
    CHECK(streamer_classifier_complete(classifier));
    streamer_classifier_free(classifier);
}

static void knows_the_end_by_type_and_by_value(void) {
    static const char *const types[] = {"message_stop", "response.completed"};
    static const size_t lengths[] = {12, 18};
    struct streamer_classifier *classifier = classifier_of(&(struct streamer_classifier_options){
        .done_types = types, .done_type_lengths = lengths, .done_type_count = 2, .done_required = true});
    struct streamer_event event = event_of("message_start", "{}"), last = event_of("response.completed", "{}");
    CHECK(streamer_classifier_event(classifier, &event) == STREAMER_CLASS_ORDINARY);
    CHECK(!streamer_classifier_complete(classifier));
    CHECK(streamer_classifier_event(classifier, &last) == STREAMER_CLASS_LAST);
    CHECK(streamer_classifier_complete(classifier) && streamer_classifier_done(classifier));
    streamer_classifier_free(classifier);

    classifier = classifier_of(
        &(struct streamer_classifier_options){.done_path = "done", .done_path_length = 4, .done_required = true});
    event = event_of("message", "{\"a\":1,\"done\":false}"), last = event_of("message", "{\"a\":1,\"done\":true}");
    CHECK(streamer_classifier_event(classifier, &event) == STREAMER_CLASS_ORDINARY);
    CHECK(streamer_classifier_event(classifier, &last) == STREAMER_CLASS_LAST);
    CHECK(streamer_classifier_complete(classifier));
    streamer_classifier_free(classifier);
}

static void refuses_what_cannot_be_looked_for(void) {
    static const char *const types[STREAMER_MAX_MARKERS + 1] = {"a", "a", "a", "a", "a", "a", "a", "a", "a"};
    static const size_t lengths[STREAMER_MAX_MARKERS + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct streamer_classifier *classifier;
    CHECK_STATUS(STREAMER_FIELD_INVALID,
                 streamer_classifier_new(
                     &classifier, &(struct streamer_classifier_options){.done_types = types,
                                                                        .done_type_lengths = lengths,
                                                                        .done_type_count = STREAMER_MAX_MARKERS + 1}));
    CHECK_STATUS(STREAMER_PATH_INVALID, streamer_classifier_new(&classifier, &(struct streamer_classifier_options){
                                                                                 .error = "a..b", .error_length = 4}));
    CHECK_STATUS(STREAMER_PATH_INVALID,
                 streamer_classifier_new(&classifier, &(struct streamer_classifier_options){ERROR, .done_path = ".",
                                                                                            .done_path_length = 1}));
}

static void says_so_whichever_request_for_memory_fails(void) {
    for (size_t request = 1;; request++) {
        heap_fail_at(request);
        struct streamer_classifier *classifier = NULL;
        enum streamer_status status =
            streamer_classifier_new(&classifier, &(struct streamer_classifier_options){DONE, ERROR, .done_path = "done",
                                                                                       .done_path_length = 4});
        bool failed = heap_failed();
        heap_fail_at(0);
        CHECK_STATUS(failed ? STREAMER_NO_MEMORY : STREAMER_OK, status);
        CHECK(!failed || heap_blocks() == 0);
        if (failed) continue;
        streamer_classifier_free(classifier);
        CHECK(request == 4);
        break;
    }
}

void classifier_tests(void) {
    RUN(an_error_is_what_is_at_the_path_of_errors);
    RUN(the_path_of_errors_may_lead_farther_and_have_alternatives);
    RUN(takes_no_event_for_an_error_unless_asked);
    RUN(knows_the_end_by_type_and_by_value);
    RUN(refuses_what_cannot_be_looked_for);
    RUN(says_so_whichever_request_for_memory_fails);
}
