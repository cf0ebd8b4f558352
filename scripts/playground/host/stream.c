/* stream.c - server-sent events (the HTML standard, section 9.2). */
#include "stream.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

/* A comment is sent after each second of silence, so that a vanished browser is noticed: writing to it fails. */
enum { HEARTBEAT = 1, FRAMES_A_SECOND = 30 };

static const char retry[] = "retry: 1000\n\n"; /* milliseconds until a browser that was cut off comes back */

/* A browser that takes nothing for the server's time limit (request_timeout_ms) is cut off: the write fails. */
static bool write_all(struct mg_connection *connection, const char *bytes, size_t size) {
  return mg_write(connection, bytes, size) == (int)size;
}

static bool write_text(struct mg_connection *connection, const char *words) {
  return write_all(connection, words, strlen(words));
}

static void say_bye(struct mg_connection *connection, const char *reason) {
  char line[128];
  snprintf(line, sizeof line, "event: bye\ndata: {\"reason\":\"%s\"}\n\n", reason);
  write_text(connection, line);
}

/* Send the frames and let them go. */
static bool write_frames(struct mg_connection *connection, frame **frames, int n) {
  bool ok = true;
  for (int i = 0; i < n; i++) {
    ok = ok && write_all(connection, frames[i]->text, frames[i]->size);
    frame_release(frames[i]);
  }
  return ok;
}

static void serve(struct mg_connection *connection, slots *events, uint64_t ticket) {
  frame *frames[SLOTS_MOST];
  uint64_t cursor = 0;
  for (bool ok = true; ok;) {
    const char *reason;
    uint64_t now = clock_now();
    int n = slots_wait(events, ticket, cursor, now + HEARTBEAT * CLOCK_SECOND, frames, &reason);
    if (n > 0) {
      now = clock_now();
      uint64_t last = frames[n - 1]->number;
      if ((ok = write_frames(connection, frames, n))) slots_have_read(events, cursor = last);
      if (ok) slots_pause(events, now + CLOCK_SECOND / FRAMES_A_SECOND);
    } else if (reason) {
      say_bye(connection, reason);
      ok = false;
    } else {
      ok = write_text(connection, ":\n\n");
    }
  }
}

void stream_serve(struct mg_connection *connection, session *s) {
  slots *events = &s->state.events;
  if (!write_text(connection, retry)) return;
  uint64_t ticket = slots_attach(events);
  serve(connection, events, ticket);
  slots_detach(events, ticket);
  session_touch(s);
}
