#include "../sink/follower.h"

#include "../core/ceilings.h"
#include "../loop/clock.h"
#include "../loop/fork.h"
#include "../relay/thread.h"
#include "await.h"
#include "binding.h"
#include "errors.h"
#include "objects.h"
#include "options.h"

static VALUE reader_class;

/* ---- the fanout ---- */

static void free_fanout(void *pointer) {
    struct streamer_fanout *fanout = pointer;
    if (fanout == NULL || fanout->generation != streamer_fork_generation()) return;
    streamer_fanout_abandon(fanout);
}

/* The blocks are in Fanout.counters: readers hold them, too. */
static size_t fanout_size(const void *pointer) {
    return pointer == NULL ? 0 : sizeof(struct streamer_fanout);
}

static const rb_data_type_t fanout_type = {
    .wrap_struct_name = "streamer/fanout",
    .function = {.dfree = free_fanout, .dsize = fanout_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate_fanout(VALUE class) {
    return TypedData_Wrap_Struct(class, &fanout_type, NULL);
}

static struct streamer_fanout *get_fanout(VALUE self) {
    struct streamer_fanout *fanout = rb_check_typeddata(self, &fanout_type);
    if (fanout == NULL) rb_raise(rb_eArgError, "this fanout was not initialized");
    streamer_check_generation(fanout->generation, "this fanout");
    return fanout;
}

static int64_t position_of(VALUE value) {
    int64_t position = NUM2LL(value);
    if (position < 0) rb_raise(rb_eArgError, "a position is no negative number; got %+" PRIsVALUE, value);
    return position;
}

/* A String of whole frames; nil stands for none. */
static VALUE frames_of(VALUE value) {
    if (NIL_P(value)) return rb_str_new(NULL, 0);
    VALUE frames = rb_str_new_frozen(StringValue(value));
    size_t length = (size_t)RSTRING_LEN(frames);
    if (length > STREAMER_MAX_EVENT) streamer_raise_status(STREAMER_EVENT_TOO_LARGE);
    const char *end = RSTRING_PTR(frames) + length;
    if (length > 0 && (length < 2 || end[-1] != '\n' || end[-2] != '\n'))
        rb_raise(rb_eArgError, "frames end with an empty line; these %" PRIuSIZE " bytes do not", length);
    return frames;
}

/* setup(position, limit): limit in bytes. */
static VALUE initialize_fanout(VALUE self, VALUE position, VALUE limit) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this fanout is initialized already");
    int64_t start = position_of(position);
    size_t bytes = NUM2SIZET(limit);
    struct streamer_pool *pool = streamer_thread_pool();
    if (pool == NULL) rb_sys_fail("streamer: the native thread could not be started");
    struct streamer_fanout *fanout = streamer_fanout_new(pool->loop, start, bytes);
    if (fanout == NULL) rb_memerror();
    RTYPEDDATA_DATA(self) = fanout;
    return self;
}

static void refuse_when_finished(struct streamer_fanout *fanout) {
    if (atomic_load(&fanout->finished))
        rb_raise(streamer_error, "this fanout is finished; a log says nothing after its close");
}

/*
 * call-seq: fanout.publish(frames, first, last) -> nil
 *
 * Sends entries to all readers: a String of whole frames, and the positions of the first and the last as Integers. What
 * is not behind the fanout's position was published before, and is left out. Never waits.
 */
static VALUE publish(VALUE self, VALUE frames, VALUE first, VALUE last) {
    struct streamer_fanout *fanout = get_fanout(self);
    int64_t from = position_of(first), to = position_of(last);
    if (to < from) rb_raise(rb_eArgError, "the last position is before the first");
    frames = frames_of(frames);
    refuse_when_finished(fanout);
    if (!streamer_fanout_publish(fanout, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames), from, to)) rb_memerror();
    RB_GC_GUARD(frames);
    return Qnil;
}

/*
 * call-seq: fanout.notice(frames) -> nil
 *
 * Sends frames without a position to those who read now; who joins later does not get them.
 */
static VALUE notice(VALUE self, VALUE frames) {
    struct streamer_fanout *fanout = get_fanout(self);
    frames = frames_of(frames);
    refuse_when_finished(fanout);
    if (!streamer_fanout_notice(fanout, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames))) rb_memerror();
    RB_GC_GUARD(frames);
    return Qnil;
}

/*
 * call-seq: fanout.finish(frames = nil) -> nil
 *
 * The log is closed: each reader gets what is left and these frames, and a complete end. A second call does nothing.
 */
static VALUE finish(int count, VALUE *arguments, VALUE self) {
    VALUE frames;
    struct streamer_fanout *fanout = get_fanout(self);
    rb_scan_args(count, arguments, "01", &frames);
    frames = frames_of(frames);
    if (!streamer_fanout_finish(fanout, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames))) rb_memerror();
    RB_GC_GUARD(frames);
    return Qnil;
}

/*
 * call-seq: fanout.finished? -> true or false
 */
static VALUE is_finished(VALUE self) {
    return atomic_load(&get_fanout(self)->finished) ? Qtrue : Qfalse;
}

/*
 * call-seq: fanout.readers -> Integer
 *
 * Those that are open.
 */
static VALUE readers(VALUE self) {
    return SIZET2NUM(streamer_fanout_readers(get_fanout(self)));
}

/*
 * call-seq: fanout.position -> Integer
 *
 * Of the last entry that was published; before that, what the fanout was made with.
 */
static VALUE position(VALUE self) {
    return LL2NUM(streamer_fanout_position(get_fanout(self)));
}

/*
 * call-seq: Fanout.drain(low, high) -> nil
 *
 * Each reader that is open in this process gets <tt>event: closing</tt> with a retry of its own between low and high
 * milliseconds, and a complete end. Does not wait: Fanout.counters says how many are left.
 */
static VALUE drain(VALUE class, VALUE low, VALUE high) {
    (void)class;
    streamer_fanout_drain(NUM2LL(low), NUM2LL(high));
    return Qnil;
}

/*
 * call-seq: Fanout.counters -> Hash
 *
 * Of all fanouts of this process: readers that are open, entries delivered (each counts once for each reader), readers
 * that were cut because they were too slow, and the memory that is held: blocks that readers share (their number and
 * bytes), and bytes of blocks that are one reader's alone.
 */
static VALUE counters(VALUE class) {
    (void)class;
    struct streamer_fanout_stats stats = streamer_fanout_stats();
    VALUE hash = rb_hash_new();
#define SET(name, value) rb_hash_aset(hash, ID2SYM(rb_intern(name)), ULL2NUM(value))
    SET("readers", stats.readers);
    SET("delivered", stats.delivered);
    SET("cut", stats.cut);
    SET("blocks", stats.blocks.shared);
    SET("shared_bytes", stats.blocks.shared_bytes);
    SET("own_bytes", stats.blocks.own_bytes);
#undef SET
    return hash;
}

/* ---- the cursor of several logs on one browser ---- */

static void free_combined(void *pointer) {
    struct streamer_combined *combined = pointer;
    if (combined == NULL || combined->generation != streamer_fork_generation()) return;
    streamer_combined_release(combined);
}

static size_t combined_size(const void *pointer) {
    const struct streamer_combined *combined = pointer;
    return combined == NULL ? 0 : sizeof *combined + (size_t)combined->count * sizeof *combined->logs;
}

static const rb_data_type_t combined_type = {
    .wrap_struct_name = "streamer/combined",
    .function = {.dfree = free_combined, .dsize = combined_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate_combined(VALUE class) {
    return TypedData_Wrap_Struct(class, &combined_type, NULL);
}

static struct streamer_combined *get_combined(VALUE self) {
    struct streamer_combined *combined = rb_check_typeddata(self, &combined_type);
    if (combined == NULL) rb_raise(rb_eArgError, "this cursor was not initialized");
    streamer_check_generation(combined->generation, "this cursor");
    return combined;
}

static VALUE initialize_combined(VALUE self, VALUE positions) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this cursor is initialized already");
    Check_Type(positions, T_ARRAY);
    long count = RARRAY_LEN(positions);
    if (count == 0 || count > STREAMER_COMBINED_MOST)
        rb_raise(rb_eArgError, "one browser follows 1 to %d logs, not %ld", STREAMER_COMBINED_MOST, count);
    int64_t values[STREAMER_COMBINED_MOST];
    for (long i = 0; i < count; i++) values[i] = position_of(rb_ary_entry(positions, i));
    struct streamer_combined *combined = streamer_combined_new(values, (int)count);
    if (combined == NULL) rb_memerror();
    RTYPEDDATA_DATA(self) = combined;
    return self;
}

static int index_of(struct streamer_combined *combined, VALUE value) {
    int index = NUM2INT(value);
    if (index < 0 || index >= combined->count)
        rb_raise(rb_eArgError, "there is no log %d among %d", index, combined->count);
    return index;
}

/*
 * call-seq: combined.leave(index) -> true or false
 *
 * The log at this place has no reader: it has ended, and the caller has sent what was left. The browser gets its
 * complete end when the last log has ended; true when that was this one, and nobody else will close the browser.
 */
static VALUE combined_leave(VALUE self, VALUE index) {
    struct streamer_combined *combined = get_combined(self);
    return streamer_combined_leave(combined, index_of(combined, index)) ? Qtrue : Qfalse;
}

struct rewriting {
    struct streamer_combined *combined;
    int index;
    VALUE string;
    struct streamer_block *piece;
};

static VALUE append_piece(VALUE argument) {
    struct rewriting *rewriting = (struct rewriting *)argument;
    return rb_str_cat(rewriting->string, streamer_block_frames(rewriting->piece), (long)rewriting->piece->length);
}

/*
 * call-seq: combined.rewrite(index, frames) -> String
 *
 * The frames of the log at this place with the cursor's ids, which has moved to the last of them: for those that the
 * caller writes itself.
 */
static VALUE combined_rewrite(VALUE self, VALUE index, VALUE frames) {
    struct rewriting rewriting = {.combined = get_combined(self), .string = rb_str_buf_new(0)};
    rewriting.index = index_of(rewriting.combined, index);
    frames = frames_of(frames);
    size_t length = (size_t)RSTRING_LEN(frames), piece;
    for (size_t at = 0; at < length; at += piece) {
        piece = length - at;
        rewriting.piece = streamer_combined_copy(rewriting.combined, rewriting.index, STREAMER_BLOCK_ENTRIES,
                                                 RSTRING_PTR(frames) + at, &piece);
        if (rewriting.piece == NULL) rb_memerror();
        int failed = 0;
        rb_protect(append_piece, (VALUE)&rewriting, &failed);
        streamer_block_release(rewriting.piece);
        if (failed != 0) rb_jump_tag(failed);
    }
    RB_GC_GUARD(frames);
    RB_GC_GUARD(self);
    return rewriting.string;
}

/* ---- readers ---- */

static void free_reader(void *pointer) {
    struct streamer_follower *reader = pointer;
    if (reader == NULL || reader->fanout->generation != streamer_fork_generation()) return;
    streamer_follower_forget(reader);
}

static size_t reader_size(const void *pointer) {
    struct streamer_follower *reader = (struct streamer_follower *)(uintptr_t)pointer;
    if (reader == NULL || reader->fanout->generation != streamer_fork_generation()) return 0;
    return streamer_follower_size(reader);
}

static const rb_data_type_t reader_type = {
    .wrap_struct_name = "streamer/fanout_reader",
    .function = {.dfree = free_reader, .dsize = reader_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static struct streamer_follower *get_reader(VALUE self) {
    struct streamer_follower *reader = rb_check_typeddata(self, &reader_type);
    streamer_check_generation(reader->fanout->generation, "this reader");
    return reader;
}

/* join_with(browser_socket or nil, after, rotate, closing or nil, combined or nil, index): rotate in ms, 0 for never.
 */
static VALUE join(VALUE self, VALUE browser, VALUE after, VALUE rotate, VALUE closing, VALUE combined, VALUE index) {
    struct streamer_fanout *fanout = get_fanout(self);
    int64_t position = position_of(after);
    struct streamer_browser *socket = NIL_P(browser) ? NULL : streamer_get_browser(browser);
    closing = frames_of(closing);
    struct streamer_follower_options options = {
        .rotate = NUM2LL(rotate),
        .closing = RSTRING_PTR(closing),
        .closing_length = (size_t)RSTRING_LEN(closing),
        .combined = NIL_P(combined) ? NULL : get_combined(combined),
    };
    if (options.combined != NULL) options.index = index_of(options.combined, index);

    VALUE reader = TypedData_Wrap_Struct(reader_class, &reader_type, NULL);
    struct streamer_follower *joined = streamer_fanout_join(fanout, socket, position, &options);
    if (joined == NULL) rb_memerror();
    RTYPEDDATA_DATA(reader) = joined;
    RB_GC_GUARD(closing);
    return reader;
}

/*
 * call-seq: reader.through -> Integer or nil
 *
 * While the reader catches up: the position through which the store has to be read, at least. It may move on, when that
 * takes long. nil once the reader is live, or has ended.
 */
static VALUE through(VALUE self) {
    int64_t position;
    return streamer_follower_through(get_reader(self), &position) ? LL2NUM(position) : Qnil;
}

/*
 * call-seq: reader.start(frames, through) -> true or false
 *
 * Makes a reader that catches up live: it gets these frames, nil for none, and then what the fanout has behind the
 * position +through+. false when `through` is before the reader's own by now (read on, and start with all of it), when
 * more than 256 MiB wait for all browsers of the process, or when the reader has ended.
 */
static VALUE start(VALUE self, VALUE frames, VALUE through) {
    struct streamer_follower *reader = get_reader(self);
    int64_t position = position_of(through);
    frames = frames_of(frames);
    enum streamer_start result =
        streamer_follower_start(reader, RSTRING_PTR(frames), (size_t)RSTRING_LEN(frames), position);
    RB_GC_GUARD(frames);
    return result == STREAMER_START_OK ? Qtrue : Qfalse;
}

/*
 * call-seq: reader.close -> nil
 *
 * Ends it, without the last chunk; its browser is closed, and a take that waits returns. From any thread, any number of
 * times.
 */
static VALUE close_reader(VALUE self) {
    streamer_follower_close(get_reader(self));
    return Qnil;
}

/*
 * call-seq: reader.open? -> true or false
 *
 * Whether it still gets something.
 */
static VALUE is_open(VALUE self) {
    struct streamer_follower *reader = get_reader(self);
    streamer_monitor_lock(&reader->fanout->monitor);
    bool open = reader->state == STREAMER_FOLLOWER_CATCHING_UP || reader->state == STREAMER_FOLLOWER_LIVE;
    streamer_monitor_unlock(&reader->fanout->monitor);
    return open ? Qtrue : Qfalse;
}

static bool is_ready(void *reader) {
    return streamer_follower_ready(reader);
}

/* The String is made before the lock is taken: nothing that it is to hold can be lost to an exception. */
static enum streamer_taken take_now(struct streamer_follower *reader, VALUE *frames, int64_t *position) {
    struct streamer_monitor *monitor = &reader->fanout->monitor;
    streamer_monitor_lock(monitor);
    size_t room = streamer_follower_pending(reader), length;
    streamer_monitor_unlock(monitor);
    *frames = rb_str_buf_new((long)room);
    streamer_monitor_lock(monitor);
    enum streamer_taken taken = streamer_follower_take(reader, RSTRING_PTR(*frames), room, &length, position);
    streamer_monitor_unlock(monitor);
    rb_str_set_len(*frames, (long)length);
    return taken;
}

/*
 * call-seq: reader.take(timeout = nil) -> [String, Integer or nil], nil, :cut or :end
 *
 * The next frames of a reader without a browser, all there are up to 64 KiB (or one larger run), and the position
 * behind them, nil for a good-bye. Waits, without the GVL or in its fiber, at most +timeout+ seconds: nil
 * then. :cut when the reader was behind by more than the limit, and the caller has to go on from the store; :end when
 * the log is closed and everything was taken, or the reader was closed.
 */
static VALUE take(int count, VALUE *arguments, VALUE self) {
    struct streamer_follower *reader = get_reader(self);
    VALUE timeout, frames;
    rb_scan_args(count, arguments, "01", &timeout);
    if (reader->browser != NULL) rb_raise(streamer_error, "what this reader gets goes to its browser");
    int64_t until = NIL_P(timeout) ? INT64_MAX : streamer_now() + (int64_t)(NUM2DBL(timeout) * 1000), position;
    for (;;) {
        int64_t next = until < reader->rotate_at ? until : reader->rotate_at;
        bool ready = streamer_await(Qnil, &reader->fanout->monitor, is_ready, reader, next == INT64_MAX ? -1 : next);
        switch (take_now(reader, &frames, &position)) {
            case STREAMER_TAKEN_FRAMES:
                if (RSTRING_LEN(frames) == 0) continue;
                return rb_assoc_new(frames, position < 0 ? Qnil : LL2NUM(position));
            case STREAMER_TAKEN_CUT: return ID2SYM(rb_intern("cut"));
            case STREAMER_TAKEN_END: return ID2SYM(rb_intern("end"));
            case STREAMER_TAKEN_NOTHING: break;
        }
        if (!ready && streamer_now() >= until) return Qnil;
    }
}

/* Streamer.bind_fanout(class): gives Log::Fanout its methods, when it is loaded. */
static VALUE bind_class(VALUE module, VALUE class) {
    (void)module;
    rb_define_alloc_func(class, allocate_fanout);
    rb_define_singleton_method(class, "drain", drain, 2);
    rb_define_singleton_method(class, "counters", counters, 0);
    rb_define_private_method(class, "setup", initialize_fanout, 2);
    rb_define_private_method(class, "join_with", join, 6);
    rb_define_method(class, "publish", publish, 3);
    rb_define_method(class, "notice", notice, 1);
    rb_define_method(class, "finish", finish, -1);
    rb_define_method(class, "finished?", is_finished, 0);
    rb_define_method(class, "readers", readers, 0);
    rb_define_method(class, "position", position, 0);

    VALUE combined_class = rb_define_class_under(class, "Combined", rb_cObject);
    rb_define_alloc_func(combined_class, allocate_combined);
    rb_define_private_method(combined_class, "setup", initialize_combined, 1);
    rb_define_method(combined_class, "leave", combined_leave, 1);
    rb_define_method(combined_class, "rewrite", combined_rewrite, 2);

    reader_class = rb_define_class_under(class, "Reader", rb_cObject);
    rb_undef_alloc_func(reader_class);
    rb_define_method(reader_class, "through", through, 0);
    rb_define_method(reader_class, "start", start, 2);
    rb_define_method(reader_class, "take", take, -1);
    rb_define_method(reader_class, "close", close_reader, 0);
    rb_define_method(reader_class, "open?", is_open, 0);
    return Qnil;
}

void streamer_init_fanout(void) {
    rb_global_variable(&reader_class);
    rb_define_private_method(rb_singleton_class(streamer_module), "bind_fanout", bind_class, 1);
}
