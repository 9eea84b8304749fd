/* What happens to our descriptors in a forked child.
 *
 * A child inherits every socket, but none of the threads and none of the right to speak on a connection
 * that the parent still uses. So the child closes the tracked descriptors as raw numbers, before fork
 * returns in it: no TLS close_notify, no FIN on the parent's connections, and a peer's end seen by the parent is not
 * held back by a copy in the child. Everything built on them is abandoned, not freed: its locks may be held by
 * a thread that does not exist here. The generation tells old objects from new ones.
 */
#pragma once

/* Installs the fork handler. Once per process, before the first descriptor is tracked. */
void streamer_fork_watch(void);

/* Grows by one in the child of each fork. What was made in another generation must not be touched. */
unsigned streamer_fork_generation(void);

/* From here on a child closes `fd`. */
void streamer_fork_track(int fd);

/* Stops tracking `fd` and closes it. Returns what close(2) returned. */
int streamer_fork_close(int fd);
