/* answer.h - answers to requests, and the bodies that come with these. */
#ifndef PLAYGROUND_ANSWER_H
#define PLAYGROUND_ANSWER_H

#include <civetweb.h>
#include <jansson.h>

#include "text.h"

typedef struct mg_connection connection;
typedef struct mg_request_info request;

/* Send an answer; more: further header lines. A body of size 0 may be NULL. Returns the status, as handlers do. */
int answer(connection *c, int status, const char *type, const char *more, const char *body, size_t size);
int answer_json(connection *c, int status, const char *more, const text *t);

/* An error, in words for people. If the body has not been read, what follows on the connection is no request. */
int refuse(connection *c, int status, const char *words);
int refuse_with(connection *c, int status, const char *more, const char *words);

/* Begin a stream of events, which ends with the connection. */
void answer_stream(connection *c);

/* Check a body's type and size before it is read. 0: read it. */
int check_body(connection *c, long long largest);

/* The object in the body. NULL with the status that was answered. */
json_t *read_body(connection *c, int *status);

#endif
