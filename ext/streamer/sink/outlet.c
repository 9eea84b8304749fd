#include "outlet.h"

/* ---- a browser ---- */

static void retain_browser(void *target) {
    streamer_browser_retain(target);
}

static void release_browser(void *target) {
    streamer_browser_release(target);
}

static bool write_to_browser(void *target, const struct streamer_frames *frames) {
    return streamer_browser_write(target, frames->bytes, frames->length);
}

static struct streamer_outlet_state state_of_browser(void *target) {
    const struct streamer_browser *browser = target;
    return (struct streamer_outlet_state){.full = !browser->gone && streamer_browser_full(browser),
                                          .gone = browser->gone,
                                          .slow = browser->slow,
                                          .bytes = browser->bytes};
}

static void close_browser(void *target) {
    streamer_browser_close(target, true);
}

static void listen_to_browser(void *target, struct streamer_listener *listener) {
    streamer_browser_listen(target, listener);
}

static void unlisten_to_browser(void *target, struct streamer_listener *listener) {
    streamer_browser_unlisten(target, listener);
}

static const struct streamer_outlet_type browser_type = {.retain = retain_browser,
                                                         .release = release_browser,
                                                         .write = write_to_browser,
                                                         .state = state_of_browser,
                                                         .close = close_browser,
                                                         .listen = listen_to_browser,
                                                         .unlisten = unlisten_to_browser};

struct streamer_outlet streamer_outlet_to_browser(struct streamer_browser *browser) {
    return (struct streamer_outlet){&browser_type, browser, &browser->monitor, browser->loop, browser->generation};
}

/* ---- a batch ---- */

static void retain_batch(void *target) {
    streamer_batch_retain(target);
}

static void release_batch(void *target) {
    streamer_batch_release(target);
}

static bool write_to_batch(void *target, const struct streamer_frames *frames) {
    return streamer_batch_add(target, &(struct streamer_batch_content){.frames = frames->bytes,
                                                                       .frames_length = frames->length,
                                                                       .count = frames->count,
                                                                       .text = frames->added.text,
                                                                       .text_length = frames->added.text_length,
                                                                       .others = frames->added.others,
                                                                       .others_length = frames->added.others_length});
}

static struct streamer_outlet_state state_of_batch(void *target) {
    struct streamer_batch *batch = target;
    return (struct streamer_outlet_state){
        .full = streamer_batch_full(batch), .gone = batch->gone, .bytes = batch->bytes};
}

static void close_batch(void *target) {
    (void)target; /* its owner takes the rest */
}

static void listen_to_batch(void *target, struct streamer_listener *listener) {
    streamer_batch_listen(target, listener);
}

static void unlisten_to_batch(void *target, struct streamer_listener *listener) {
    streamer_batch_unlisten(target, listener);
}

static const struct streamer_outlet_type batch_type = {.retain = retain_batch,
                                                       .release = release_batch,
                                                       .write = write_to_batch,
                                                       .state = state_of_batch,
                                                       .close = close_batch,
                                                       .listen = listen_to_batch,
                                                       .unlisten = unlisten_to_batch};

struct streamer_outlet streamer_outlet_to_batch(struct streamer_batch *batch) {
    return (struct streamer_outlet){&batch_type, batch, &batch->monitor, batch->loop, batch->generation};
}

struct streamer_batch *streamer_outlet_batch(const struct streamer_outlet *outlet) {
    return outlet->type == &batch_type ? outlet->target : NULL;
}
