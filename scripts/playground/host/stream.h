/* stream.h - server-sent events: one stream of a session to a browser. */
#ifndef PLAYGROUND_STREAM_H
#define PLAYGROUND_STREAM_H

#include <civetweb.h>

#include "session.h"

/* Send the session's frames, after the headers, until the session or the connection ends. Blocks the server's thread,
** and no other. */
void stream_serve(struct mg_connection *connection, session *s);

#endif
