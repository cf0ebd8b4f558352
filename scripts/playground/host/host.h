/* host.h - the functions that a session's Lua code gets. */
#ifndef PLAYGROUND_HOST_H
#define PLAYGROUND_HOST_H

#include <lua.h>

enum { HOST_LARGEST_FRAME = 2 << 20, HOST_LARGEST_ANSWER = 32 << 20 }; /* bytes of JSON */

/* Push the table of the functions: command, answer, refuse, send, clear, due, frame_due, frame, data, base64, bytes,
** list, log, source; and threads, data_name. Raises. */
void host_push(lua_State *L);

/* A line for the person who runs the server. */
void host_log(const char *line);

#endif
