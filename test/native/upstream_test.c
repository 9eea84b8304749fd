/* The upstream's parts that need no network: who gets a slot and when, which addresses the guard refuses, how a body in
 * chunks is framed, how long gaps were, and when the poller's descriptor rings. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/streamer/upstream/chunks.h"
#include "../../ext/streamer/upstream/clock.h"
#include "../../ext/streamer/upstream/gaps.h"
#include "../../ext/streamer/upstream/guard.h"
#include "../../ext/streamer/upstream/poller.h"
#include "../../ext/streamer/upstream/slots.h"

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

/* ---- slots ---- */

struct asker {
    struct streamer_permit slot;
    char name;
};

static char granted[64];

static void on_granted(struct streamer_permit *slot) {
    size_t length = strlen(granted);
    granted[length] = ((struct asker *)slot)->name;
    granted[length + 1] = '\0';
}

static void ask(struct streamer_admission *slots, struct asker *asker, char name, const char *origin) {
    *asker = (struct asker){.slot.granted = on_granted, .name = name};
    CHECK(streamer_admission_ask(slots, &asker->slot, origin), "out of memory");
}

#define EXPECT(wanted) CHECK(strcmp(granted, wanted) == 0, "granted %s, and not %s", granted, wanted)

static void test_no_limit(void) {
    struct streamer_admission slots = {0};
    struct asker askers[3];
    granted[0] = '\0';
    streamer_admission_limit(0, 0);
    for (int i = 0; i < 3; i++) ask(&slots, &askers[i], (char)('a' + i), "x");
    EXPECT("abc");
    for (int i = 0; i < 3; i++) streamer_admission_give_back(&slots, &askers[i].slot);
    CHECK(slots.held == 0 && slots.waiters == 0, "some are left");
    streamer_admission_release(&slots);
}

static void test_per_origin_in_order_and_nobody_else_is_held_up(void) {
    struct streamer_admission slots = {0};
    struct asker a, b, c, d, other;
    granted[0] = '\0';
    streamer_admission_limit(1, 0);
    ask(&slots, &a, 'a', "x");
    ask(&slots, &b, 'b', "x");
    ask(&slots, &c, 'c', "x");
    ask(&slots, &d, 'd', "x");
    ask(&slots, &other, 'o', "y");
    EXPECT("ao");
    CHECK(slots.waiters == 3, "%zu wait", slots.waiters);
    streamer_admission_give_back(&slots, &c.slot); /* gives up waiting */
    streamer_admission_give_back(&slots, &c.slot); /* and again: nothing */
    streamer_admission_give_back(&slots, &a.slot);
    EXPECT("aob");
    streamer_admission_give_back(&slots, &b.slot);
    EXPECT("aobd");
    streamer_admission_give_back(&slots, &d.slot);
    streamer_admission_give_back(&slots, &other.slot);
    CHECK(slots.held == 0 && slots.waiters == 0 && slots.waiting == NULL, "some are left");
    for (size_t i = 0; i < STREAMER_ORIGIN_BUCKETS; i++) CHECK(slots.buckets[i] == NULL, "an origin is left");
}

static void test_the_total_goes_round_in_order_of_arrival(void) {
    struct streamer_admission slots = {0};
    struct asker a, b, c, d, e;
    granted[0] = '\0';
    streamer_admission_limit(1, 2);
    ask(&slots, &a, 'a', "x");
    ask(&slots, &b, 'b', "y");
    ask(&slots, &c, 'c', "z");
    ask(&slots, &d, 'd', "x");
    ask(&slots, &e, 'e', "w");
    EXPECT("ab");
    streamer_admission_give_back(&slots, &b.slot);
    EXPECT("abc");
    streamer_admission_give_back(&slots, &c.slot); /* d came before e, but x is full */
    EXPECT("abce");
    streamer_admission_give_back(&slots, &a.slot);
    EXPECT("abced");
    streamer_admission_give_back(&slots, &d.slot);
    streamer_admission_give_back(&slots, &e.slot);
    streamer_admission_release(&slots);
    streamer_admission_limit(0, 0);
}

static void test_a_bounded_number_of_origins_is_remembered(void) {
    struct streamer_admission slots = {0};
    struct asker asker;
    char name[16];
    for (int i = 0; i < 2 * STREAMER_REMEMBERED_ORIGINS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        ask(&slots, &asker, 'a', name);
        asker.slot.origin->multiplexes = true;
        streamer_admission_give_back(&slots, &asker.slot);
        granted[0] = '\0';
    }
    CHECK(slots.remembered == STREAMER_REMEMBERED_ORIGINS, "%zu are remembered", slots.remembered);
    ask(&slots, &asker, 'a', "x0");
    CHECK(asker.slot.origin->multiplexes, "what is known of x0 was forgotten");
    streamer_admission_give_back(&slots, &asker.slot);
    streamer_admission_release(&slots);
}

/* ---- guard ---- */

static void test_guard(void) {
    static const char *const forbidden[] = {"0.0.0.0",
                                            "0.1.2.3",
                                            "10.0.0.1",
                                            "10.255.255.255",
                                            "100.64.0.1",
                                            "100.127.255.255",
                                            "127.0.0.1",
                                            "127.9.9.9",
                                            "169.254.169.254",
                                            "172.16.0.1",
                                            "172.31.255.255",
                                            "192.0.0.1",
                                            "192.0.2.1",
                                            "192.88.99.1",
                                            "192.168.1.1",
                                            "198.18.0.1",
                                            "198.19.255.255",
                                            "198.51.100.1",
                                            "203.0.113.1",
                                            "224.0.0.1",
                                            "239.255.255.255",
                                            "240.0.0.1",
                                            "255.255.255.255",
                                            "::",
                                            "::1",
                                            "::ffff:127.0.0.1",
                                            "::ffff:10.0.0.1",
                                            "::127.0.0.1",
                                            "64:ff9b::10.0.0.1",
                                            "64:ff9b:1::1",
                                            "2002:7f00:1::1",
                                            "2002:a00:1::1",
                                            "2001::1",
                                            "2001:db8::1",
                                            "3fff::1",
                                            "fc00::1",
                                            "fd12:3456::1",
                                            "fe80::1",
                                            "fec0::1",
                                            "ff02::1",
                                            "100::1",
                                            "4000::1",
                                            "not an address"};
    static const char *const allowed[] = {"1.1.1.1",         "9.255.255.255",   "11.0.0.0",       "100.63.255.255",
                                          "100.128.0.0",     "126.0.0.1",       "128.0.0.1",      "172.15.0.1",
                                          "172.32.0.1",      "192.167.255.255", "192.169.0.0",    "198.17.255.255",
                                          "198.20.0.0",      "223.255.255.255", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
                                          "2002:101:101::1", "2606:4700::1111", "2a00:1450::1",   "2001:4860::8888"};
    struct streamer_guard *guard = streamer_guard_new(NULL, 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        CHECK(!streamer_guard_allows_text(guard, forbidden[i]), "%s is allowed", forbidden[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        CHECK(streamer_guard_allows_text(guard, allowed[i]), "%s is forbidden", allowed[i]);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    CHECK(!streamer_guard_allows(guard, (struct sockaddr *)&address), "a socket's loopback is allowed");
    address.sin_addr.s_addr = htonl(0x01010101);
    CHECK(streamer_guard_allows(guard, (struct sockaddr *)&address), "a socket's 1.1.1.1 is forbidden");
    struct sockaddr local = {.sa_family = AF_UNIX};
    CHECK(!streamer_guard_allows(guard, &local), "a Unix socket is allowed");
    free(guard);
}

static void test_networks_that_are_allowed_all_the_same(void) {
    const struct streamer_network networks[] = {
        {{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1}, 96 + 15}, /* 10.0.0.0/15 */
        {{0xfd, 0x12}, 16},
    };
    struct streamer_guard *guard = streamer_guard_new(networks, 2);
    CHECK(streamer_guard_allows_text(guard, "10.1.2.3"), "10.1.2.3 is forbidden");
    CHECK(streamer_guard_allows_text(guard, "::ffff:10.0.2.3"), "10.0.2.3 is forbidden");
    CHECK(!streamer_guard_allows_text(guard, "10.2.0.1"), "10.2.0.1 is allowed");
    CHECK(streamer_guard_allows_text(guard, "fd12::1"), "fd12::1 is forbidden");
    CHECK(!streamer_guard_allows_text(guard, "fd13::1"), "fd13::1 is allowed");
    free(guard);
}

/* ---- chunks ---- */

static const struct {
    const char *body, *data;
    enum streamer_chunks_state state; /* at its end */
    size_t whole;                     /* bytes of whole chunks at its front */
} bodies[] = {
    {"3\r\nabc\r\n", "abc", STREAMER_CHUNKS_SIZE, 8},
    {"1\r\na\r\n0A\r\n0123456789\r\n", "a0123456789", STREAMER_CHUNKS_SIZE, 22},
    {"3\r\nabc\r\n0\r\n\r\n", "abc", STREAMER_CHUNKS_TRAILERS, 8},
    {"3\r\nabc\r\n000\r\nx-a: 5\r\n\r\n5\r\nghost\r\n", "abc", STREAMER_CHUNKS_TRAILERS, 8},
    {"3\r\nabc\r\n4\r\nde", "abcde", STREAMER_CHUNKS_DATA, 8},
    {"3\r\nabc\r\n4\r\ndefg\r", "abcdefg", STREAMER_CHUNKS_DATA_END, 8},
    {"3\r\nabc\r\n4\r", "abc", STREAMER_CHUNKS_EXTENSION, 8},
    {"3\r\nabc\r\n4", "abc", STREAMER_CHUNKS_SIZE, 8},
    {"3;a=\"\r\";b\r\nabc\r\n1\r\nd\r\n", "abcd", STREAMER_CHUNKS_SIZE, 0},
    {"3\nabc\n1\r\nd\n", "abcd", STREAMER_CHUNKS_SIZE, 0},
    {"3\r\n\r\n\r\r\n1\r\nd\r\n", "\r\n\rd", STREAMER_CHUNKS_SIZE, 14},
    {"000000000000000F\r\n0123456789abcde\r\n", "0123456789abcde", STREAMER_CHUNKS_SIZE, 0},
    {"00000000000000001\r\na\r\n", "", STREAMER_CHUNKS_INVALID, 0},
    {"FFFFFFFFFFFFFFFF\r\na\r\n", "a\r\n", STREAMER_CHUNKS_DATA, 0},
    {"FFFFFFFF\r\na\r\n", "a\r\n", STREAMER_CHUNKS_DATA, 0},
    {"3\r\nabc\r\noops\r\n", "abc", STREAMER_CHUNKS_INVALID, 8},
    {"3\r\nabcd\r\n", "abc", STREAMER_CHUNKS_INVALID, 0},
    {"\r\n3\r\nabc\r\n", "", STREAMER_CHUNKS_INVALID, 0},
    {"-1\r\n", "", STREAMER_CHUNKS_INVALID, 0},
    {" 3\r\nabc\r\n", "", STREAMER_CHUNKS_INVALID, 0},
    {"", "", STREAMER_CHUNKS_SIZE, 0},
};

static void test_chunks_at_every_split(void) {
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const char *body = bodies[i].body;
        size_t length = strlen(body), wanted = strlen(bodies[i].data);
        for (size_t split = 0; split <= length; split++) {
            struct streamer_chunks chunks = {0};
            char data[64];
            size_t first = streamer_chunks_read(&chunks, body, split, data);
            size_t both = first + streamer_chunks_read(&chunks, body + split, length - split, data + first);
            CHECK(chunks.state == bodies[i].state, "%s: state %d when cut at %zu", body, chunks.state, split);
            CHECK(both == wanted && memcmp(data, bodies[i].data, both) == 0, "%s: %.*s when cut at %zu", body,
                  (int)both, data, split);
        }
    }
}

static void test_whole_chunks_can_be_taken_away(void) {
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char body[64];
        size_t length = strlen(bodies[i].body), whole = streamer_chunks_whole(bodies[i].body, length);
        memcpy(body, bodies[i].body, length);
        CHECK(whole == bodies[i].whole, "%s: %zu bytes of whole chunks", bodies[i].body, whole);
        for (size_t part = 0; part < length; part++) {
            CHECK(streamer_chunks_whole(body, part) <= part, "%s: more than there are", body);
        }
        struct streamer_chunks chunks = {0};
        size_t taken = streamer_chunks_read(&chunks, body, whole, body);
        CHECK(streamer_chunks_between(&chunks), "%s: not between two chunks", bodies[i].body);
        CHECK(memcmp(body, bodies[i].data, taken) == 0, "%s: %.*s in its place", bodies[i].body, (int)taken, body);
    }
}

/* ---- gaps ---- */

static void test_gaps(void) {
    struct streamer_histogram gaps = {0};
    CHECK(streamer_histogram_percentile(&gaps, 95) == 0, "a percentile of nothing");
    for (int64_t i = 1; i <= 1000; i++) streamer_histogram_add(&gaps, i * 1000);
    int64_t p95 = streamer_histogram_percentile(&gaps, 95), p50 = streamer_histogram_percentile(&gaps, 50);
    CHECK(p95 >= 950000 && p95 <= 950000 * 9 / 8, "p95 %lld", (long long)p95);
    CHECK(p50 >= 500000 && p50 <= 500000 * 9 / 8, "p50 %lld", (long long)p50);
    CHECK(streamer_histogram_percentile(&gaps, 100) == 1000000 && gaps.longest == 1000000, "the longest");

    struct streamer_histogram many = {0};
    for (int i = 0; i < 200000; i++) streamer_histogram_add(&many, i % 10 == 0 ? 100000 : 1000);
    int64_t p89 = streamer_histogram_percentile(&many, 89), p91 = streamer_histogram_percentile(&many, 91);
    CHECK(p89 >= 1000 && p89 <= 1125 && p91 == 100000, "the shares of more than a bucket holds");

    struct streamer_histogram ends = {0};
    streamer_histogram_add(&ends, 0);
    streamer_histogram_add(&ends, INT64_MAX);
    CHECK(streamer_histogram_percentile(&ends, 50) == 288, "the smallest");
    CHECK(ends.longest == INT64_MAX, "the longest of all");
}

/* ---- the poller's alarm ---- */

/* Whether the poller's descriptor is readable within a second. */
static bool rings(struct streamer_poller *poller) {
    struct pollfd waited = {.fd = streamer_poller_fd(poller), .events = POLLIN};
    return poll(&waited, 1, 1000) == 1;
}

static void test_alarm(void) {
    struct streamer_poller *poller = streamer_poller_new();
    struct streamer_ready ready[4];
    CHECK(poller != NULL, "no poller");
    int64_t begun = streamer_now();
    streamer_poller_alarm(poller, begun + 60000);
    streamer_poller_alarm(poller, begun + 50); /* an earlier moment counts, a later one does not */
    streamer_poller_alarm(poller, begun + 30000);
    CHECK(rings(poller), "the earlier moment");
    CHECK(streamer_now() - begun >= 49, "it rang after %d ms", (int)(streamer_now() - begun));
    CHECK(streamer_poller_wait(poller, ready, 4, 0) == 0, "the alarm is nobody's event");
    streamer_poller_alarm(poller, streamer_now() - 5);
    CHECK(rings(poller), "a moment that is over");
    streamer_poller_wait(poller, ready, 4, 0);
    CHECK(!rings(poller), "it rings once");
    streamer_poller_free(poller);
}

int main(void) {
    test_no_limit();
    test_per_origin_in_order_and_nobody_else_is_held_up();
    test_the_total_goes_round_in_order_of_arrival();
    test_a_bounded_number_of_origins_is_remembered();
    test_guard();
    test_networks_that_are_allowed_all_the_same();
    test_chunks_at_every_split();
    test_whole_chunks_can_be_taken_away();
    test_gaps();
    test_alarm();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
