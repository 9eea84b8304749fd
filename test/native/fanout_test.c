/* One log's readers: the chain, the joins and the browsers' order, against a slow oracle; without Ruby.
 *
 *   fanout_test [ROUNDS]     random scenes, 400 when not given
 *
 * A log is an array of entries. Readers join at random moments and positions, some have to catch up first, read slowly,
 * not at all, or come back after they were cut. Whatever the order: each gets every entry behind its position once.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/streamer/loop/clock.h"
#include "../../ext/streamer/loop/fork.h"
#include "../../ext/streamer/relay/thread.h"
#include "../../ext/streamer/sink/follower.h"
#include "../../ext/streamer/sink/frames.h"
#include "check.h"

enum { MOST = 400, WAIT_MS = 60000 };

static int rounds = 400;

/* ---- memory that runs out ---- */

static int until_refused = -1; /* allocations; negative: never */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool refuses(void) {
    return until_refused >= 0 && until_refused-- == 0;
}

void *__wrap_malloc(size_t size) {
    return refuses() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return refuses() ? NULL : __real_calloc(count, size);
}

/* ---- a log ---- */

struct text {
    char *bytes;
    size_t length;
};

static void add(struct text *text, const char *bytes, size_t length) {
    text->bytes = realloc(text->bytes, text->length + length + 1);
    if (length > 0) memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static struct {
    int64_t positions[MOST];
    struct text frames[MOST];
    int count;
} log_;

static int64_t at(int64_t epoch, int64_t sequence) {
    return (epoch << 32) | sequence;
}

static void add_entry(int64_t position, int padding) {
    char line[128];
    struct text *frame = &log_.frames[log_.count];
    *frame = (struct text){NULL, 0};
    int length = sprintf(line, "event: token\nid: %d-%d\ndata: %d", (int)(position >> 32), (int)position, log_.count);
    add(frame, line, (size_t)length);
    char *blank = malloc((size_t)padding + 1);
    memset(blank, 'x', (size_t)padding);
    add(frame, blank, (size_t)padding);
    free(blank);
    add(frame, "\n\n", 2);
    log_.positions[log_.count++] = position;
}

static void clear_log(void) {
    for (int i = 0; i < log_.count; i++) free(log_.frames[i].bytes);
    log_.count = 0;
}

/* The entries from..to, both included. */
static struct text frames_of(int from, int to) {
    struct text text = {NULL, 0};
    add(&text, "", 0);
    for (int i = from; i <= to; i++) add(&text, log_.frames[i].bytes, log_.frames[i].length);
    return text;
}

/* The first entry behind a position. */
static int behind(int64_t position) {
    int i = 0;
    while (i < log_.count && log_.positions[i] <= position) i++;
    return i;
}

static int64_t position_before(int index) {
    return index == 0 ? 0 : log_.positions[index - 1];
}

static void publish(struct streamer_fanout *fanout, int from, int to) {
    struct text text = frames_of(from, to);
    CHECK(streamer_fanout_publish(fanout, text.bytes, text.length, log_.positions[from], log_.positions[to]),
          "nothing was published");
    free(text.bytes);
}

/* ---- every split, with a pull reader ---- */

/* Takes all there is; counts it as wrong when it is not the entry that comes next. */
static void take_all(struct streamer_follower *reader, struct text *into, enum streamer_taken *last) {
    for (;;) {
        streamer_monitor_lock(&reader->fanout->monitor);
        size_t room = streamer_follower_pending(reader), length;
        char *bytes = malloc(room + 1);
        int64_t position;
        *last = streamer_follower_take(reader, bytes, room, &length, &position);
        streamer_monitor_unlock(&reader->fanout->monitor);
        add(into, bytes, length);
        free(bytes);
        if (*last != STREAMER_TAKEN_FRAMES) return;
    }
}

static const struct streamer_follower_options PLAIN = {0};

/* The fanout begins at `begin`; the rest is published in the runs that the bits of `split` end. A reader of everything
 * behind entry `after` joins before the `join`-th run; if it has to catch up, it is given the store through `through`
 * before the `start`-th. */
static void every_split_once(struct streamer_loop *loop, int begin, unsigned split, int after, int join, int start,
                             int through) {
    struct streamer_fanout *fanout = streamer_fanout_new(loop, position_before(begin), 0);
    struct streamer_follower *reader = NULL;
    struct text taken = {NULL, 0};
    enum streamer_taken last;
    bool started = false;
    int published = begin;
    for (int run = 0;; run++) {
        if (run == join) reader = streamer_fanout_join(fanout, NULL, position_before(after), &PLAIN);
        int64_t needed;
        if (reader != NULL && !started && run >= start && streamer_follower_through(reader, &needed)) {
            struct text text = frames_of(after, through - 1);
            enum streamer_start result =
                streamer_follower_start(reader, text.bytes, text.length, position_before(through));
            bool enough = position_before(through) >= needed;
            CHECK(result == (enough ? STREAMER_START_OK : STREAMER_START_BEHIND), "start said %d", result);
            started = result == STREAMER_START_OK;
            free(text.bytes);
        }
        if (reader != NULL && (run + split) % 2 == 0) take_all(reader, &taken, &last);
        if (published == log_.count) break;
        int end = published;
        while (end < log_.count - 1 && !(split >> end & 1)) end++;
        publish(fanout, published, end);
        published = end + 1;
    }
    streamer_fanout_finish(fanout, NULL, 0);
    int64_t needed;
    if (reader != NULL && streamer_follower_through(reader, &needed)) {
        struct text text = frames_of(after, log_.count - 1);
        CHECK(streamer_follower_start(reader, text.bytes, text.length, position_before(log_.count)) ==
                  STREAMER_START_OK,
              "the whole store is not enough");
        free(text.bytes);
    }
    if (reader != NULL) {
        take_all(reader, &taken, &last);
        struct text expected = frames_of(after, log_.count - 1);
        bool same = taken.length == expected.length && memcmp(taken.bytes, expected.bytes, taken.length) == 0;
        if (!same || last != STREAMER_TAKEN_END) {
            CHECK(same, "begin %d, split %x, after %d, join %d, start %d, through %d:\n%s", begin, split, after, join,
                  start, through, taken.bytes);
            CHECK(last == STREAMER_TAKEN_END, "no end but %d", last);
        }
        free(expected.bytes);
        streamer_follower_forget(reader);
    }
    free(taken.bytes);
    streamer_fanout_abandon(fanout);
}

static void every_split(struct streamer_loop *loop) {
    static const int64_t epochs[] = {1, 1, 2, 2, 2};
    const int COUNT = rounds >= 100 ? 5 : 4;
    for (int i = 0; i < COUNT; i++) add_entry(at(epochs[i], i < 2 ? i : i - 2), 0);
    for (int begin = 0; begin <= COUNT; begin++) {
        for (unsigned split = 0; split < 1u << (COUNT - 1); split++) {
            if (split & ((1u << begin) - 1)) continue; /* the same as another */
            for (int after = 0; after <= COUNT; after++) {
                for (int join = 0; join <= COUNT - begin; join++) {
                    for (int start = join; start <= COUNT - begin; start++) {
                        for (int through = after; through <= COUNT; through++)
                            every_split_once(loop, begin, split, after, join, start, through);
                    }
                }
            }
        }
    }
    CHECK(log_.count == COUNT, "the log has changed");
    clear_log();
}

/* ---- random scenes ---- */

enum { READERS = 12, NOTICES = 64 };

struct sim {
    struct streamer_fanout *fanout;
    struct streamer_follower *follower;
    struct streamer_browser *browser; /* NULL: a pull reader */
    int fd;                           /* of the browser's other end; -1 once it is closed */
    bool chunked, used, started, reads;
    int64_t after;
    int first_notice; /* the number of those before it joined */
    struct text got;
    enum streamer_taken last;
};

static struct {
    struct streamer_loop *loop;
    struct streamer_fanout *fanout;
    struct sim sims[READERS];
    int64_t notices[NOTICES]; /* the fanout's position when it was given */
    int notice_count, published;
    size_t limit;
    unsigned seed;
} scene;

static int below(int limit) {
    return limit <= 0 ? 0 : rand_r(&scene.seed) % limit;
}

static struct streamer_browser *browser_on(struct streamer_loop *loop, bool chunked, int *other) {
    int ends[2], small = 4096;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    struct streamer_browser_options options = {.chunked = chunked, .write_timeout = WAIT_MS};
    struct streamer_browser *browser = streamer_browser_new(loop, ends[0], &options);
    if (browser == NULL) close(ends[0]);
    *other = ends[1];
    return browser;
}

static void receive(struct sim *sim, size_t most) {
    char bytes[16384];
    while (sim->fd >= 0 && most > 0) {
        ssize_t got = recv(sim->fd, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            close(sim->fd);
            sim->fd = -1;
            return;
        }
        add(&sim->got, bytes, (size_t)got);
        most -= (size_t)got;
    }
}

/* What HTTP's chunks hold, as far as they came; whether the last one did. */
static struct text without_chunks(const struct text *got, bool *ended) {
    struct text text = {NULL, 0};
    add(&text, "", 0);
    *ended = false;
    for (size_t place = 0; place < got->length;) {
        char *line_end = memmem(got->bytes + place, got->length - place, "\r\n", 2);
        if (line_end == NULL) break;
        size_t size = strtoul(got->bytes + place, NULL, 16);
        place = (size_t)(line_end - got->bytes) + 2;
        *ended = size == 0;
        size_t here = got->length - place < size ? got->length - place : size;
        add(&text, got->bytes + place, here);
        place += size + 2;
    }
    return text;
}

/* Every whole frame that came is the next entry, or a notice at its place. Returns the position of the last entry. */
static int64_t check_frames(const struct sim *sim, const struct text *text, bool whole) {
    int64_t seen = sim->after;
    int next = behind(sim->after), notice = sim->first_notice;
    for (size_t place = 0; place < text->length;) {
        size_t length = streamer_frames_first(text->bytes + place, text->length - place), line;
        const char *frame = text->bytes + place;
        if (memcmp(frame + length - 2, "\n\n", length < 2 ? 1 : 2) != 0) break; /* cut */
        int64_t position;
        place += length;
        if (streamer_frames_position(frame, length, &position, &line)) {
            bool same = next < log_.count && log_.frames[next].length == length &&
                        memcmp(frame, log_.frames[next].bytes, length) == 0;
            CHECK(same, "behind %d came %.*s", next - 1, (int)(length < 60 ? length : 60), frame);
            if (!same) return seen;
            seen = position;
            next++;
        } else {
            int number = atoi(frame + strlen("event: state\ndata: "));
            bool good = number >= notice && number < scene.notice_count && scene.notices[number] == seen;
            CHECK(good, "notice %d (of those from %d on) came behind %llx, not %llx", number, notice, (long long)seen,
                  (long long)scene.notices[number]);
            notice = number + 1;
        }
    }
    if (whole) CHECK(next == log_.count, "only %d of %d entries came", next, log_.count);
    return seen;
}

static void join(struct sim *sim, int64_t after) {
    *sim = (struct sim){.used = true, .fd = -1, .after = after, .chunked = below(2) == 0, .reads = below(4) != 0};
    sim->first_notice = scene.notice_count;
    if (below(4) != 0) sim->browser = browser_on(scene.loop, sim->chunked, &sim->fd);
    sim->follower = streamer_fanout_join(scene.fanout, sim->browser, after, &PLAIN);
    int64_t needed;
    sim->started = !streamer_follower_through(sim->follower, &needed);
    add(&sim->got, "", 0);
    if (sim->started && sim->browser != NULL && below(2) == 0) {
        streamer_follower_forget(sim->follower); /* as the garbage collector does */
        sim->follower = NULL;
    }
}

/* Gives it what the store has, enough or not. */
static void try_to_start(struct sim *sim) {
    int64_t needed;
    if (sim->started || sim->follower == NULL || !streamer_follower_through(sim->follower, &needed)) return;
    int from = behind(sim->after), least = behind(needed), to = least + below(log_.count - least + 1);
    if (below(5) == 0 && from < least) to = from + below(least - from); /* the store was read too early */
    if (to < from) to = from;
    struct text text = frames_of(from, to - 1);
    int64_t through = to == 0 ? 0 : log_.positions[to - 1];
    if (through < sim->after) through = sim->after;
    enum streamer_start result = streamer_follower_start(sim->follower, text.bytes, text.length, through);
    CHECK(result == (through >= needed ? STREAMER_START_OK : STREAMER_START_BEHIND), "start said %d", result);
    sim->started = result == STREAMER_START_OK;
    free(text.bytes);
}

static void read_some(struct sim *sim, size_t most) {
    if (sim->browser != NULL) {
        receive(sim, most);
    } else if (sim->follower != NULL) {
        take_all(sim->follower, &sim->got, &sim->last);
    }
}

static void forget(struct sim *sim) {
    if (sim->follower != NULL) streamer_follower_forget(sim->follower);
    if (sim->browser != NULL) streamer_browser_release(sim->browser);
    if (sim->fd >= 0) close(sim->fd);
    free(sim->got.bytes);
    *sim = (struct sim){.fd = -1};
}

/* A browser that was closed before the log was, or a pull reader that was too slow: comes back with its cursor. */
static bool came_to_its_end(struct sim *sim, bool *whole) {
    bool ended = false;
    *whole = false;
    if (sim->browser == NULL) {
        *whole = sim->last == STREAMER_TAKEN_END;
        return *whole || sim->last == STREAMER_TAKEN_CUT;
    }
    if (sim->fd >= 0) return false;
    struct text text = without_chunks(&sim->got, &ended);
    free(text.bytes);
    *whole = sim->chunked ? ended : !sim->browser->slow;
    return true;
}

static int64_t check_sim(struct sim *sim, bool whole) {
    bool ended;
    bool framed = sim->browser != NULL && sim->chunked;
    struct text text = framed ? without_chunks(&sim->got, &ended) : sim->got;
    int64_t seen = check_frames(sim, &text, whole);
    if (framed) free(text.bytes);
    return seen;
}

static void add_entries(void) {
    int64_t last = position_before(log_.count);
    for (int i = below(4); i >= 0 && log_.count < MOST; i--) {
        last = below(12) == 0 || last == 0 ? at((last >> 32) + 1, 0) : last + 1;
        add_entry(last, below(40) == 0 ? 70000 : below(4) == 0 ? 5000 : below(60));
    }
}

/* As whoever reads the store for the fanout does: the first batch may begin before. */
static void publish_some(void) {
    if (scene.published == log_.count) return;
    int from = scene.published - below(3), to = scene.published + below(log_.count - scene.published);
    publish(scene.fanout, from < 0 ? 0 : from, to);
    scene.published = to + 1;
}

static void give_notice(void) {
    if (scene.notice_count == NOTICES) return;
    char frame[64];
    int length = sprintf(frame, "event: state\ndata: %d\n\n", scene.notice_count);
    scene.notices[scene.notice_count++] = streamer_fanout_position(scene.fanout);
    CHECK(streamer_fanout_notice(scene.fanout, frame, (size_t)length), "no notice");
}

static void come_back(struct sim *sim) {
    bool whole;
    if (!sim->used || !came_to_its_end(sim, &whole)) return;
    int64_t seen = check_sim(sim, whole);
    forget(sim);
    if (!whole) join(sim, seen);
}

static void act(void) {
    struct sim *sim = &scene.sims[below(READERS)];
    switch (below(8)) {
        case 0: add_entries(); break;
        case 1: publish_some(); break;
        case 2:
            if (below(3) == 0) give_notice();
            break;
        case 3:
            if (!sim->used) join(sim, position_before(below(log_.count + 1)));
            break;
        case 4:
            if (sim->used) try_to_start(sim);
            break;
        case 5:
            if (sim->used && sim->reads) read_some(sim, (size_t)below(9000));
            break;
        case 6: come_back(sim); break;
        default: streamer_loop_iterate(scene.loop, 0);
    }
}

static bool all_have_ended(void) {
    bool all = true;
    for (int i = 0; i < READERS; i++) {
        struct sim *sim = &scene.sims[i];
        if (!sim->used) continue;
        try_to_start(sim);
        read_some(sim, SIZE_MAX);
        come_back(sim);
        all &= !sim->used;
    }
    return all;
}

static void random_scene(struct streamer_loop *loop, unsigned seed) {
    static const size_t limits[] = {1, 400, 8000, 0};
    memset(&scene, 0, sizeof scene);
    scene.seed = seed;
    scene.loop = loop;
    scene.limit = limits[below(4)];
    for (int i = below(5); i > 0; i--) add_entries();
    scene.published = below(log_.count + 1);
    scene.fanout = streamer_fanout_new(loop, position_before(scene.published), scene.limit);
    for (int i = 0; i < 600; i++) act();
    while (scene.published < log_.count) publish_some();
    CHECK(streamer_fanout_finish(scene.fanout, NULL, 0), "not finished");
    int64_t deadline = streamer_now() + WAIT_MS;
    while (!all_have_ended() && streamer_now() < deadline) streamer_loop_iterate(loop, 0);
    for (int i = 0; i < READERS; i++) {
        CHECK(!scene.sims[i].used, "seed %u: reader %d has not ended", seed, i);
        if (scene.sims[i].used) forget(&scene.sims[i]);
    }
    CHECK(streamer_fanout_readers(scene.fanout) == 0, "seed %u: %zu readers are left", seed,
          streamer_fanout_readers(scene.fanout));
    streamer_fanout_abandon(scene.fanout);
    for (int i = 0; i < 4; i++) streamer_loop_iterate(loop, 0);
    clear_log();
}

/* ---- single points ---- */

static struct text read_until_closed(struct streamer_loop *loop, int fd) {
    struct sim sim = {.fd = fd};
    add(&sim.got, "", 0);
    int64_t deadline = streamer_now() + WAIT_MS;
    while (sim.fd >= 0 && streamer_now() < deadline) {
        streamer_loop_iterate(loop, 0);
        receive(&sim, SIZE_MAX);
    }
    CHECK(sim.fd < 0, "the browser was not closed");
    return sim.got;
}

static void expect(struct text got, const char *expected, const char *what) {
    CHECK(strcmp(got.bytes, expected) == 0, "%s: %s", what, got.bytes);
    free(got.bytes);
}

static void publish_text(struct streamer_fanout *fanout, const char *frames, int64_t first, int64_t last) {
    CHECK(streamer_fanout_publish(fanout, frames, strlen(frames), first, last), "not published");
}

/* Bytes that others write on the same browser come where they were written, whole. */
static void other_writers(struct streamer_loop *loop) {
    int fd;
    struct streamer_browser *browser = browser_on(loop, false, &fd);
    struct streamer_fanout *fanout = streamer_fanout_new(loop, 0, 0);
    struct streamer_follower *reader = streamer_fanout_join(fanout, browser, 0, &PLAIN);
    add_entry(at(1, 0), 50000);
    add_entry(at(1, 1), 10);
    publish(fanout, 0, 0);
    for (int i = 0; i < 3; i++) streamer_loop_iterate(loop, 0); /* a part of it is under way */
    CHECK(browser->block_left > 0, "nothing waits");
    streamer_browser_write(browser, "data: between\n\n", 15);
    publish(fanout, 1, 1);
    streamer_fanout_finish(fanout, "data: last\n\n", 12);
    struct text got = read_until_closed(loop, fd);
    struct text expected = frames_of(0, 0);
    add(&expected, "data: between\n\n", 15);
    add(&expected, log_.frames[1].bytes, log_.frames[1].length);
    add(&expected, "data: last\n\n", 12);
    CHECK(got.length == expected.length && strcmp(got.bytes, expected.bytes) == 0, "the order is another");
    free(got.bytes);
    free(expected.bytes);
    streamer_follower_forget(reader);
    streamer_browser_release(browser);
    streamer_fanout_abandon(fanout);
    clear_log();
}

static void a_planned_end(struct streamer_loop *loop) {
    int fd;
    struct streamer_browser *browser = browser_on(loop, true, &fd);
    struct streamer_fanout *fanout = streamer_fanout_new(loop, 0, 0);
    struct streamer_follower_options options = {.rotate = 20, .closing = "data: bye\n\n", .closing_length = 11};
    struct streamer_follower *reader = streamer_fanout_join(fanout, browser, 0, &options);
    struct streamer_follower *pulling = streamer_fanout_join(fanout, NULL, 0, &options);
    publish_text(fanout, "id: 1-0\ndata: x\n\n", at(1, 0), at(1, 0));
    expect(read_until_closed(loop, fd), "11\r\nid: 1-0\ndata: x\n\n\r\nb\r\ndata: bye\n\n\r\n0\r\n\r\n", "rotation");
    struct text taken = {NULL, 0};
    enum streamer_taken last;
    while (streamer_now() < pulling->rotate_at) usleep(1000);
    take_all(pulling, &taken, &last);
    CHECK(last == STREAMER_TAKEN_END, "no end");
    expect(taken, "data: bye\n\n", "rotation of a pull reader");
    CHECK(streamer_follower_start(reader, NULL, 0, 0) == STREAMER_START_OVER, "it can be started");
    streamer_follower_forget(reader);
    streamer_follower_forget(pulling);
    streamer_browser_release(browser);
    streamer_fanout_abandon(fanout);
}

static void a_drain(struct streamer_loop *loop) {
    enum { COUNT = 300 };
    struct streamer_fanout *fanout = streamer_fanout_new(loop, 0, 0);
    static int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct streamer_browser *browser = browser_on(loop, false, &fds[i]);
        streamer_follower_forget(streamer_fanout_join(fanout, browser, 0, &PLAIN));
        streamer_browser_release(browser);
    }
    struct streamer_follower *pulling = streamer_fanout_join(fanout, NULL, 0, &PLAIN);
    streamer_fanout_drain(1000, 6000);
    int low = 0, high = 0;
    for (int i = 0; i < COUNT; i++) {
        struct text got = read_until_closed(loop, fds[i]);
        static const char start[] = "event: closing\ndata: {\"reason\":\"shutdown\"}\nretry: ";
        int retry = strncmp(got.bytes, start, strlen(start)) == 0 ? atoi(got.bytes + strlen(start)) : -1;
        if (retry < 1000 || retry > 6000) CHECK(false, "%s", got.bytes);
        if (retry < 2000) low++;
        if (retry > 5000) high++;
        free(got.bytes);
    }
    CHECK(low > 10 && high > 10, "the retries are not spread: %d, %d", low, high);
    struct text taken = {NULL, 0};
    enum streamer_taken last;
    take_all(pulling, &taken, &last);
    CHECK(last == STREAMER_TAKEN_END && strstr(taken.bytes, "closing") != NULL, "%s", taken.bytes);
    free(taken.bytes);
    streamer_follower_forget(pulling);
    CHECK(streamer_fanout_stats().readers == 0, "readers are left");
    streamer_fanout_abandon(fanout);
}

/* The browser is closed when all of its logs have ended; ids say where it is in each. */
static void several_logs(struct streamer_loop *loop) {
    int fd;
    struct streamer_browser *browser = browser_on(loop, false, &fd);
    int64_t positions[] = {at(1, 4), 0, at(7, 7)};
    struct streamer_combined *combined = streamer_combined_new(positions, 3);
    struct streamer_fanout *fanouts[] = {streamer_fanout_new(loop, at(1, 4), 0),
                                         streamer_fanout_new(loop, at(1, 0), 0)};
    struct streamer_follower *readers[2];
    for (int i = 0; i < 2; i++) {
        struct streamer_follower_options options = {.combined = combined, .index = i};
        readers[i] = streamer_fanout_join(fanouts[i], browser, positions[i], &options);
    }
    CHECK(!streamer_combined_leave(combined, 2), "the last one");
    publish_text(fanouts[0], "id: 1-5\ndata: a\n\nid: 1-6\ndata: b\n\n", at(1, 5), at(1, 6));
    for (int i = 0; i < 3; i++) streamer_loop_iterate(loop, 0);
    const char *store = "id: 1-0\ndata: c\n\n";
    CHECK(streamer_follower_start(readers[1], store, strlen(store), at(1, 0)) == STREAMER_START_OK, "start");
    for (int i = 0; i < 3; i++) streamer_loop_iterate(loop, 0);
    streamer_fanout_notice(fanouts[1], "event: state\n\n", 14);
    for (int i = 0; i < 3; i++) streamer_loop_iterate(loop, 0);
    streamer_fanout_finish(fanouts[0], NULL, 0);
    for (int i = 0; i < 3; i++) streamer_loop_iterate(loop, 0);
    publish_text(fanouts[1], "id: 2-0\ndata: d\n\n", at(2, 0), at(2, 0));
    streamer_fanout_finish(fanouts[1], NULL, 0);
    expect(read_until_closed(loop, fd),
           "id: 0:1-5,0-0,7-7\ndata: a\n\nid: 0:1-6,0-0,7-7\ndata: b\n\nid: 1:1-6,1-0,7-7\ndata: c\n\n"
           "event: state\nid: 1:1-6,1-0,7-7\n\nid: 1:1-6,2-0,7-7\ndata: d\n\n",
           "several logs");
    for (int i = 0; i < 2; i++) {
        streamer_follower_forget(readers[i]);
        streamer_fanout_abandon(fanouts[i]);
    }
    streamer_combined_release(combined);
    streamer_browser_release(browser);
}

/* Two logs with much to say, half of it in the store, on a browser that reads slowly: each has its turns. */
static void turns(struct streamer_loop *loop) {
    int fd;
    struct streamer_browser *browser = browser_on(loop, false, &fd);
    int64_t positions[] = {0, 0};
    struct streamer_combined *combined = streamer_combined_new(positions, 2);
    struct streamer_fanout *fanouts[2];
    struct streamer_follower *readers[2];
    for (int i = 0; i < 20; i++) add_entry(at(1, i), 20000);
    for (int i = 0; i < 2; i++) {
        fanouts[i] = streamer_fanout_new(loop, at(1, 9), (size_t)8 << 20);
        struct streamer_follower_options options = {.combined = combined, .index = i};
        readers[i] = streamer_fanout_join(fanouts[i], browser, 0, &options);
    }
    for (int i = 20; i < 40; i++) publish(fanouts[i % 2], i / 2, i / 2);
    struct text store = frames_of(0, 9);
    for (int i = 0; i < 2; i++) {
        CHECK(streamer_follower_start(readers[i], store.bytes, store.length, at(1, 9)) == STREAMER_START_OK, "start");
        streamer_follower_forget(readers[i]);
        streamer_fanout_finish(fanouts[i], NULL, 0);
    }
    free(store.bytes);
    struct text got = read_until_closed(loop, fd);
    int last[] = {-1, -1}, most = 0, run = 0, before = -1;
    for (const char *id = got.bytes; (id = strstr(id, "id: ")) != NULL; id += 4) {
        int index = id[4] - '0';
        run = index == before ? run + 1 : 1;
        before = index;
        if (run > most && last[1 - index] < 19) most = run; /* while the other has something */
        last[index]++;
    }
    CHECK(last[0] == 19 && last[1] == 19, "%d and %d came", last[0], last[1]);
    CHECK(most < 10, "one log had %d turns in a row", most);
    free(got.bytes);
    for (int i = 0; i < 2; i++) streamer_fanout_abandon(fanouts[i]);
    streamer_combined_release(combined);
    streamer_browser_release(browser);
    clear_log();
}

/* Who lets go of a reader that is not live, or of the fanout, ends it: the browser may come back. */
static void nobody_left(struct streamer_loop *loop) {
    int fds[2];
    struct streamer_fanout *fanout = streamer_fanout_new(loop, at(1, 5), 0);
    for (int i = 0; i < 2; i++) {
        struct streamer_browser *browser = browser_on(loop, true, &fds[i]);
        streamer_follower_forget(streamer_fanout_join(fanout, browser, i == 0 ? at(1, 1) : at(1, 5), &PLAIN));
        streamer_browser_release(browser);
    }
    expect(read_until_closed(loop, fds[0]), "", "nobody reads the store");
    CHECK(streamer_fanout_readers(fanout) == 1, "%zu readers", streamer_fanout_readers(fanout));
    streamer_fanout_abandon(fanout);
    expect(read_until_closed(loop, fds[1]), "", "nobody publishes");
}

/* Many blocks that nobody reads are let go of one after the other, not by recursion. */
static void a_long_chain(struct streamer_loop *loop) {
    struct streamer_fanout *fanout = streamer_fanout_new(loop, 0, (size_t)1 << 40);
    struct streamer_follower *reader = streamer_fanout_join(fanout, NULL, 0, &PLAIN);
    for (int i = 0; i < 300000; i++) publish_text(fanout, "id: 1-1\n\n", at(1, i), at(1, i));
    CHECK(streamer_fanout_stats().blocks.shared > 300000, "they are not held");
    streamer_follower_forget(reader);
    CHECK(streamer_fanout_stats().blocks.shared_bytes <= STREAMER_FANOUT_RETAINED + 1000, "they are still held");
    streamer_fanout_abandon(fanout);
}

/* Whatever allocation fails: what was said to have happened has, and nobody waits for ever or gets something twice. */
static void out_of_memory(struct streamer_loop *loop) {
    add_entry(at(1, 0), 10);
    add_entry(at(1, 1), 30000);
    add_entry(at(1, 2), 10);
    for (int n = 0; n < 24; n++) {
        int fd = -1;
        struct streamer_fanout *fanout = streamer_fanout_new(loop, at(1, 0), 0);
        struct streamer_browser *browser = browser_on(loop, false, &fd);
        struct text store = frames_of(0, 0), rest = frames_of(1, 1), last = frames_of(1, 2);
        int64_t positions[] = {0};
        until_refused = n;
        struct streamer_combined *combined = n % 2 == 0 ? streamer_combined_new(positions, 1) : NULL;
        struct streamer_follower_options options = {
            .combined = combined, .rotate = 60000, .closing = "x\n\n", .closing_length = 3};
        struct streamer_follower *reader = streamer_fanout_join(fanout, browser, 0, &options);
        bool started =
            reader != NULL && streamer_follower_start(reader, store.bytes, store.length, at(1, 0)) == STREAMER_START_OK;
        bool published = streamer_fanout_publish(fanout, rest.bytes, rest.length, at(1, 1), at(1, 1));
        for (int i = 0; i < 4; i++) streamer_loop_iterate(loop, 0);
        bool overlapped = streamer_fanout_publish(fanout, last.bytes, last.length, at(1, 1), at(1, 2));
        bool finished = streamer_fanout_finish(fanout, NULL, 0);
        for (int i = 0; i < 4; i++) streamer_loop_iterate(loop, 0);
        until_refused = -1;
        bool all = started && published && overlapped && finished;
        if (reader == NULL) streamer_browser_close(browser, false);
        if (reader != NULL) streamer_follower_forget(reader);
        streamer_fanout_abandon(fanout);
        struct text got = read_until_closed(loop, fd);
        int tokens = 0;
        for (const char *data = got.bytes; (data = strstr(data, "\ndata: ")) != NULL; data += 7)
            CHECK(atoi(data + 7) == tokens++, "allocation %d: entry %d comes as number %d", n, atoi(data + 7), tokens);
        if (n == 23) CHECK(all && tokens == 3, "allocations fail that were not to: %d", tokens);
        free(got.bytes);
        free(store.bytes);
        free(rest.bytes);
        free(last.bytes);
        streamer_combined_release(combined);
        streamer_browser_release(browser);
        for (int i = 0; i < 4; i++) streamer_loop_iterate(loop, 0);
    }
    clear_log();
}

static void frames(void) {
    const char *all = "id: 1-1\ndata: a\n\nid: 1-2\n\nid: 2-0\ndata: c\n\n";
    size_t length = strlen(all);
    CHECK(streamer_frames_count(all, length) == 3, "count");
    CHECK(streamer_frames_behind(all, length, 0) == 0, "all");
    CHECK(streamer_frames_behind(all, length, at(1, 1)) == 17, "one");
    CHECK(streamer_frames_behind(all, length, at(1, 9)) == 26, "two");
    CHECK(streamer_frames_behind(all, length, at(2, 0)) == length, "none");
    int64_t position;
    size_t line;
    static const char *const wrong[] = {"",
                                        "id: \n\n",
                                        "id: 1\n\n",
                                        "id: 1-\n\n",
                                        "id:1-1\n\n",
                                        "id: -1\n\n",
                                        "id: 1-1",
                                        "id: 99999999999-1\n\n",
                                        "data: id: 1-1\n\n",
                                        "event: id: 1-1\n\n",
                                        "event: a\ndata: b\nid: 1-1\n\n",
                                        "event: a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!streamer_frames_position(wrong[i], strlen(wrong[i]), &position, &line), "%s", wrong[i]);
    CHECK(streamer_frames_position("id: 3-14\n\n", 10, &position, &line) && position == at(3, 14) && line == 9, "3-14");
    CHECK(streamer_frames_position("event: a\nid: 3-14\n\n", 19, &position, &line) && position == at(3, 14) &&
              line == 18,
          "3-14 behind its event");
}

/* ---- threads: the native one, one that publishes, and several that join and read ---- */

enum { ENTRIES = 2000, JOINERS = 3 };

static struct streamer_fanout *shared;
static atomic_int stored, wrong, joined;

static struct text entry(int n) {
    char frame[64];
    struct text text = {NULL, 0};
    add(&text, frame, (size_t)sprintf(frame, "id: 1-%d\ndata: @%d \n\n", n, n));
    return text;
}

static struct text entries(int from, int to) {
    struct text all = {NULL, 0};
    add(&all, "", 0);
    for (int n = from; n < to; n++) {
        struct text one = entry(n);
        add(&all, one.bytes, one.length);
        free(one.bytes);
    }
    return all;
}

static void *publish_all(void *unused) {
    unsigned seed = 7;
    for (int n = 1; n <= ENTRIES;) {
        int to = n + 1 + (int)(rand_r(&seed) % 5);
        if (to > ENTRIES + 1) to = ENTRIES + 1;
        atomic_store(&stored, to);
        struct text text = entries(n, to);
        streamer_fanout_publish(shared, text.bytes, text.length, at(1, n), at(1, to - 1));
        free(text.bytes);
        n = to;
        usleep(rand_r(&seed) % 400);
    }
    streamer_fanout_finish(shared, NULL, 0);
    return unused;
}

/* Reads to the end, with pauses, and checks each number. */
static void follow_socket(int fd, int next, unsigned *seed, bool leaves) {
    char bytes[4096];
    size_t kept = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes + kept, sizeof bytes - kept, 0);
        if (got <= 0) break;
        size_t length = kept + (size_t)got, from = 0;
        for (size_t i = 0; i < length; i++) {
            if (bytes[i] == '@') from = i;
            if (bytes[i] != ' ' || bytes[from] != '@' || i < from) continue;
            if (atoi(bytes + from + 1) != next++) atomic_fetch_add(&wrong, 1);
            from = i;
        }
        kept = bytes[from] == '@' ? length - from : 0;
        memmove(bytes, bytes + from, kept);
        if (leaves) return;
        if (rand_r(seed) % 20 == 0) usleep(1000);
    }
    if (next != ENTRIES + 1) atomic_fetch_add(&wrong, 1);
}

static void *join_and_read(void *argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (int round = 0; !atomic_load(&shared->finished) || round < 3; round++) {
        int known = atomic_load(&stored), after = known <= 1 ? 0 : (int)(rand_r(&seed) % (unsigned)known), fd;
        struct streamer_browser *browser = browser_on(shared->loop, false, &fd);
        struct streamer_follower *reader = streamer_fanout_join(shared, browser, at(after > 0, after), &PLAIN);
        atomic_fetch_add(&joined, 1);
        int64_t through;
        while (streamer_follower_through(reader, &through)) {
            int to = atomic_load(&stored);
            struct text text = entries(after + 1, to);
            enum streamer_start result = streamer_follower_start(reader, text.bytes, text.length, at(1, to - 1));
            free(text.bytes);
            if (result == STREAMER_START_OVER || result == STREAMER_START_FULL) atomic_fetch_add(&wrong, 1);
        }
        if (rand_r(&seed) % 4 == 0) {
            streamer_follower_close(reader);
            streamer_follower_forget(reader);
        } else {
            streamer_follower_forget(reader);
            follow_socket(fd, after + 1, &seed, rand_r(&seed) % 2 == 0);
        }
        streamer_browser_release(browser);
        close(fd);
    }
    return NULL;
}

static void *pull(void *unused) {
    struct streamer_follower *reader = streamer_fanout_join(shared, NULL, 0, &PLAIN);
    struct text got = {NULL, 0};
    enum streamer_taken last;
    add(&got, "", 0);
    for (;;) {
        take_all(reader, &got, &last);
        if (last == STREAMER_TAKEN_END) break;
        streamer_monitor_lock(&shared->monitor);
        if (!streamer_follower_ready(reader)) streamer_monitor_wait(&shared->monitor, streamer_now() + 100);
        streamer_monitor_unlock(&shared->monitor);
    }
    struct text all = entries(1, ENTRIES + 1);
    if (strcmp(all.bytes, got.bytes) != 0) atomic_fetch_add(&wrong, 1);
    free(all.bytes);
    free(got.bytes);
    streamer_follower_forget(reader);
    return unused;
}

static void threads(void) {
    shared = streamer_fanout_new(streamer_thread_pool()->loop, 0, (size_t)1 << 22);
    pthread_t publisher, puller, joiners[JOINERS];
    pthread_create(&puller, NULL, pull, NULL);
    pthread_create(&publisher, NULL, publish_all, NULL);
    for (uintptr_t i = 0; i < JOINERS; i++) pthread_create(&joiners[i], NULL, join_and_read, (void *)(i + 1));
    pthread_join(publisher, NULL);
    pthread_join(puller, NULL);
    for (int i = 0; i < JOINERS; i++) pthread_join(joiners[i], NULL);
    for (int i = 0; i < WAIT_MS && streamer_fanout_readers(shared) > 0; i++) usleep(1000);
    CHECK(streamer_fanout_readers(shared) == 0, "%zu readers are left", streamer_fanout_readers(shared));
    CHECK(atomic_load(&wrong) == 0, "%d times something was missing, twice or out of order", atomic_load(&wrong));
    CHECK(atomic_load(&joined) > 2 * JOINERS, "only %d joined", atomic_load(&joined));
    streamer_fanout_abandon(shared);
}

/* A child has nothing of its parent's, and can begin anew. */
static void a_child(void) {
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    struct streamer_fanout *fanout = streamer_fanout_new(streamer_thread_pool()->loop, 0, 0);
    int fd, status;
    struct streamer_browser *browser = browser_on(fanout->loop, false, &fd);
    streamer_follower_forget(streamer_fanout_join(fanout, browser, 0, &PLAIN));
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        bool good = streamer_fanout_stats().readers == 0 && streamer_fanout_stats().blocks.shared == 0;
        struct streamer_fanout *own = streamer_fanout_new(streamer_thread_pool()->loop, 0, 0);
        int other;
        struct streamer_browser *ours = browser_on(own->loop, false, &other);
        streamer_follower_forget(streamer_fanout_join(own, ours, 0, &PLAIN));
        streamer_fanout_finish(own, "data: x\n\n", 9);
        char bytes[16];
        good &= recv(other, bytes, sizeof bytes, MSG_WAITALL) == 9;
        streamer_fanout_drain(1, 1); /* its own only */
        if (good) execl("/bin/true", "true", NULL);
        _exit(1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child failed: %x", status);
    CHECK(streamer_fanout_readers(fanout) == 1, "the child ended its parent's reader");
    streamer_fanout_finish(fanout, "data: y\n\n", 9);
    char bytes[16];
    CHECK(recv(fd, bytes, sizeof bytes, MSG_WAITALL) == 9 && bytes[6] == 'y', "the parent's reader");
    close(fd);
    streamer_browser_release(browser);
    streamer_fanout_abandon(fanout);
#endif
}

static int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

int main(int count, char **arguments) {
    if (count > 1) rounds = atoi(arguments[1]);
    streamer_fork_watch();
    struct streamer_loop *loop = streamer_loop_new();
    int before = open_descriptors();
    frames();
    every_split(loop);
    other_writers(loop);
    a_planned_end(loop);
    a_drain(loop);
    several_logs(loop);
    turns(loop);
    nobody_left(loop);
    if (rounds >= 100) a_long_chain(loop);
    out_of_memory(loop);
    for (int i = 0; i < rounds; i++) random_scene(loop, (unsigned)i + 1);
    CHECK(open_descriptors() == before, "%d descriptors more than before", open_descriptors() - before);
    streamer_loop_close(loop);
    streamer_loop_release(loop);

    threads();
    a_child();
    streamer_thread_stop();
    struct streamer_fanout_stats stats = streamer_fanout_stats();
    CHECK(stats.readers == 0 && stats.blocks.shared == 0 && stats.blocks.own_bytes == 0,
          "left: %llu readers, %llu blocks, %llu bytes", (unsigned long long)stats.readers,
          (unsigned long long)stats.blocks.shared, (unsigned long long)stats.blocks.own_bytes);
    printf("%d passed, %d failed; %llu readers were cut\n", passed, failed, (unsigned long long)stats.cut);
    return failed > 0;
}
