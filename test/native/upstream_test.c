/* Parts of loop and upstream that need no network: who may send and when, which addresses the guard refuses, which
 * routes are equal, how long gaps were, in which order timers fire, and when the poller's descriptor rings. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../ext/streamer/loop/clock.h"
#include "../../ext/streamer/loop/poller.h"
#include "../../ext/streamer/loop/timers.h"
#include "../../ext/streamer/upstream/admission.h"
#include "../../ext/streamer/upstream/guard.h"
#include "../../ext/streamer/upstream/histogram.h"
#include "../../ext/streamer/upstream/route.h"
#include "check.h"

/* ---- admission ---- */

struct asker {
    struct streamer_permit permit;
    char name;
};

static char granted[64];

static void on_granted(struct streamer_permit *permit) {
    size_t length = strlen(granted);
    granted[length] = ((struct asker *)permit)->name;
    granted[length + 1] = '\0';
}

static void ask(struct streamer_admission *admission, struct asker *asker, char name, const char *origin) {
    *asker = (struct asker){.permit.granted = on_granted, .name = name};
    CHECK(streamer_admission_ask(admission, &asker->permit, origin), "out of memory");
}

#define EXPECT(wanted) CHECK(strcmp(granted, wanted) == 0, "granted %s, and not %s", granted, wanted)

static void test_no_limit(void) {
    struct streamer_admission admission = {0};
    struct asker askers[3];
    granted[0] = '\0';
    streamer_admission_limit(0, 0);
    for (int i = 0; i < 3; i++) ask(&admission, &askers[i], (char)('a' + i), "x");
    EXPECT("abc");
    for (int i = 0; i < 3; i++) streamer_admission_give_back(&admission, &askers[i].permit);
    CHECK(admission.held == 0 && admission.waiters == 0, "some are left");
    streamer_admission_release(&admission);
}

static void test_per_origin_in_order_and_nobody_else_is_held_up(void) {
    struct streamer_admission admission = {0};
    struct asker a, b, c, d, other;
    granted[0] = '\0';
    streamer_admission_limit(1, 0);
    ask(&admission, &a, 'a', "x");
    ask(&admission, &b, 'b', "x");
    ask(&admission, &c, 'c', "x");
    ask(&admission, &d, 'd', "x");
    ask(&admission, &other, 'o', "y");
    EXPECT("ao");
    CHECK(admission.waiters == 3, "%zu wait", admission.waiters);
    streamer_admission_give_back(&admission, &c.permit); /* gives up waiting */
    streamer_admission_give_back(&admission, &c.permit); /* and again: nothing */
    streamer_admission_give_back(&admission, &a.permit);
    EXPECT("aob");
    streamer_admission_give_back(&admission, &b.permit);
    EXPECT("aobd");
    streamer_admission_give_back(&admission, &d.permit);
    streamer_admission_give_back(&admission, &other.permit);
    CHECK(admission.held == 0 && admission.waiters == 0 && admission.waiting == NULL, "some are left");
    for (size_t i = 0; i < STREAMER_ORIGIN_BUCKETS; i++) CHECK(admission.buckets[i] == NULL, "an origin is left");
}

static void test_the_total_goes_round_in_order_of_arrival(void) {
    struct streamer_admission admission = {0};
    struct asker a, b, c, d, e;
    granted[0] = '\0';
    streamer_admission_limit(1, 2);
    ask(&admission, &a, 'a', "x");
    ask(&admission, &b, 'b', "y");
    ask(&admission, &c, 'c', "z");
    ask(&admission, &d, 'd', "x");
    ask(&admission, &e, 'e', "w");
    EXPECT("ab");
    streamer_admission_give_back(&admission, &b.permit);
    EXPECT("abc");
    streamer_admission_give_back(&admission, &c.permit); /* d came before e, but x is full */
    EXPECT("abce");
    streamer_admission_give_back(&admission, &a.permit);
    EXPECT("abced");
    streamer_admission_give_back(&admission, &d.permit);
    streamer_admission_give_back(&admission, &e.permit);
    streamer_admission_release(&admission);
    streamer_admission_limit(0, 0);
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

/* ---- routes ---- */

static void test_routes(void) {
    struct streamer_guard *guard = streamer_guard_new(NULL, 0);
    struct streamer_route route = {
        .url = "https://a:443", .origin = "https://a", .verify = true, .proxy = "http://p:1"};
    struct streamer_route *copy = streamer_route_copy(&route);
    CHECK(streamer_route_equal(&route, copy) && streamer_route_hash(&route) == streamer_route_hash(copy), "the copy");
    copy->verify = false;
    CHECK(!streamer_route_equal(&route, copy), "without verification");
    copy->verify = true;
    copy->guard = guard;
    CHECK(!streamer_route_equal(&route, copy), "with a guard");
    copy->guard = NULL;
    copy->key = "k";
    CHECK(!streamer_route_equal(&route, copy), "with a client key");
    copy->key = NULL;
    copy->proxy_user = "user";
    CHECK(!streamer_route_equal(&route, copy), "with credentials for the proxy");
    CHECK(streamer_route_tunnels(&route) && !streamer_route_asks_proxy(&route), "TLS through an HTTP proxy");
    route.url = "http://a:80";
    CHECK(!streamer_route_tunnels(&route) && streamer_route_asks_proxy(&route), "plain HTTP through an HTTP proxy");
    route.addresses = "a:80:b:80";
    CHECK(streamer_route_tunnels(&route) && !streamer_route_asks_proxy(&route), "to another address through a proxy");
    route.addresses = NULL;
    route.proxy = "socks5h://p:1";
    CHECK(!streamer_route_tunnels(&route) && !streamer_route_asks_proxy(&route), "through a SOCKS proxy");
    CHECK(streamer_route_is_plain(&route), "plain");
    free(copy);
    free(guard);
}

/* ---- timers ---- */

static int fired[64], fired_count;

struct numbered {
    struct streamer_timer timer;
    int number;
};

static void on_fire(struct streamer_timer *timer, int64_t now) {
    (void)now;
    fired[fired_count++] = ((struct numbered *)timer)->number;
}

static void test_timers_fire_in_order_whatever_was_moved_and_cancelled(void) {
    struct streamer_timers timers = {0};
    struct numbered numbered[64];
    memset(numbered, 0, sizeof numbered);
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        fired_count = 0;
        int expected = 0;
        for (int i = 0; i < 64; i++) {
            numbered[i].timer.fire = on_fire;
            numbered[i].number = i;
            streamer_timers_set(&timers, &numbered[i].timer, rand_r(&seed) % 100);
        }
        for (int i = 0; i < 40; i++) {
            struct streamer_timer *timer = &numbered[rand_r(&seed) % 64].timer;
            if (rand_r(&seed) % 2)
                streamer_timers_cancel(&timers, timer);
            else
                streamer_timers_set(&timers, timer, rand_r(&seed) % 100);
        }
        for (int i = 0; i < 64; i++) expected += numbered[i].timer.set && numbered[i].timer.due <= 50;
        streamer_timers_fire(&timers, 50);
        CHECK(fired_count == expected, "%d of %d fired", fired_count, expected);
        for (int i = 1; i < fired_count; i++)
            CHECK(numbered[fired[i - 1]].timer.due <= numbered[fired[i]].timer.due, "out of order");
        CHECK(timers.first == NULL || streamer_timers_next(&timers) > 50, "one that is due is left");
        for (int i = 0; i < 64; i++) streamer_timers_cancel(&timers, &numbered[i].timer);
        CHECK(timers.count == 0 && streamer_timers_next(&timers) == -1, "some are left");
    }
}

/* ---- the poller ---- */

static int events_of(struct streamer_poller *poller, void *tag) {
    struct streamer_ready ready[4];
    int events = 0, count = streamer_poller_wait(poller, ready, 4, 100);
    for (int i = 0; i < count; i++) events |= ready[i].tag == tag ? ready[i].events : 0;
    return events;
}

static void test_poller(void) {
    struct streamer_poller *poller = streamer_poller_new();
    int fds[2], tag, other;
    CHECK(poller != NULL && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "no sockets");
    CHECK(streamer_poller_set(poller, fds[0], STREAMER_READABLE, &tag), "refused");
    CHECK(events_of(poller, &tag) == 0, "nothing has come");
    CHECK(write(fds[1], "x", 1) == 1, "not written");
    CHECK(events_of(poller, &tag) == STREAMER_READABLE, "a byte has come");
    CHECK(events_of(poller, &tag) == STREAMER_READABLE, "it is still there");
    CHECK(streamer_poller_set(poller, fds[0], STREAMER_WRITABLE, &other), "refused");
    CHECK(events_of(poller, &other) == STREAMER_WRITABLE, "another one's, for something else");
    CHECK(streamer_poller_set(poller, fds[0], STREAMER_HANGUP, &tag), "refused");
    CHECK((events_of(poller, &tag) & STREAMER_HANGUP) == 0, "nobody has left");
    shutdown(fds[1], SHUT_WR);
    CHECK(events_of(poller, &tag) & STREAMER_HANGUP, "the peer has ended its side");
    streamer_poller_remove(poller, fds[0]);
    CHECK(events_of(poller, &tag) == 0, "it was taken out");
    streamer_poller_remove(poller, fds[0]);
    close(fds[0]);
    close(fds[1]);
    CHECK(!streamer_poller_set(poller, fds[0], STREAMER_READABLE, &tag), "a closed descriptor was taken");
    CHECK(!streamer_poller_set(poller, fds[0], STREAMER_WRITABLE, &tag), "a closed descriptor was taken");
    streamer_poller_free(poller);
}

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
    test_guard();
    test_networks_that_are_allowed_all_the_same();
    test_routes();
    test_timers_fire_in_order_whatever_was_moved_and_cancelled();
    test_gaps();
    test_poller();
    test_alarm();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
