/* answer.c - answers to requests, with the headers that all have; bodies within limits of size and time. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "json.h"

/* mg_read returns when it has all that it was asked for, however slowly it comes: only between two calls can a body be
** too slow. */
enum { LARGEST_DROPPED = 16 << 20, AT_ONCE = 64 };
static const double BODY_SECONDS = 10, DROP_SECONDS = 3;

/* Nothing but this server's own files and answers; no frame, no form. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n";

int answer(connection *c, int status, const char *type, const char *more, const char *body, size_t size) {
  text head = {.limit = 4096};
  const request *r = mg_get_request_info(c);
  const char *cache = strstr(more, "ETag:") ? "no-cache" : "no-store";
  text_format(&head, "HTTP/1.1 %d %s\r\n%s%sContent-Type: %s\r\nCache-Control: %s\r\n", status,
              mg_get_response_code_text(c, status), headers, more, type, cache);
  if (status != 304) text_format(&head, "Content-Length: %zu\r\n", size);
  text_put(&head, "\r\n");
  if (!head.failed && mg_write(c, head.data, head.size) == (int)head.size && size && status != 304 &&
      !(r->request_method && strcmp(r->request_method, "HEAD") == 0))
    mg_write(c, body, size);
  text_free(&head);
  return status;
}

int answer_json(connection *c, int status, const char *more, const text *t) {
  return answer(c, status, "application/json", more, t->data, t->size);
}

/* Read and drop a body that is refused, unless it is very large: a browser that cannot send its body does not read the
** answer. */
static void drop_body(connection *c) {
  char bytes[AT_ONCE];
  long long left = mg_get_request_info(c)->content_length;
  uint64_t until = clock_after(DROP_SECONDS);
  while (left > 0 && left <= LARGEST_DROPPED && clock_now() < until) {
    int n = mg_read(c, bytes, sizeof bytes);
    left = n > 0 ? left - n : 0;
  }
}

int refuse_with(connection *c, int status, const char *more, const char *words) {
  char all[160];
  text t = {.limit = 4096};
  const request *r = mg_get_request_info(c);
  bool unread = r->content_length > 0 || mg_get_header(c, "Transfer-Encoding");
  if (unread) mg_disable_connection_keep_alive(c);
  snprintf(all, sizeof all, "%s%s", more, unread ? "Connection: close\r\n" : "");
  text_object(&t, "error", words, strlen(words));
  answer_json(c, status, all, &t);
  text_free(&t);
  drop_body(c);
  return status;
}

int refuse(connection *c, int status, const char *words) { return refuse_with(c, status, "", words); }

void answer_stream(connection *c) {
  mg_disable_connection_keep_alive(c);
  mg_printf(c,
            "HTTP/1.1 200 OK\r\n%sContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            "Connection: close\r\n\r\n",
            headers);
}

/* ---- bodies ---- */

int check_body(connection *c, long long largest) {
  static const char json[] = "application/json";
  const char *type = mg_get_header(c, "Content-Type");
  size_t n = sizeof json - 1;
  char words[100];
  if (!type || strncasecmp(type, json, n) != 0 || (type[n] && !strchr("; \t", type[n])))
    return refuse(c, 415, "expected a body of Content-Type: application/json");
  long long size = mg_get_request_info(c)->content_length;
  if (size < 0) return refuse(c, 411, "expected a Content-Length");
  snprintf(words, sizeof words, "the body has %lld bytes, expected at most %lld", size, largest);
  return size > largest ? refuse(c, 413, words) : 0;
}

json_t *read_body(connection *c, int *status) {
  size_t size = (size_t)mg_get_request_info(c)->content_length, got = 0;
  char *bytes = malloc(size + 1), words[300];
  uint64_t until = clock_after(BODY_SECONDS);
  json_t *value = NULL;
  for (int n = 1; bytes && got < size && n > 0 && clock_now() < until; got += n > 0 ? (size_t)n : 0)
    n = mg_read(c, bytes + got, size - got < AT_ONCE ? size - got : AT_ONCE);
  if (!bytes)
    *status = refuse(c, 503, "out of memory");
  else if (got < size)
    *status = refuse(c, 408, "the body ended, or stopped, before its Content-Length");
  else if (!(value = json_read(bytes, size, words, sizeof words)))
    *status = refuse(c, 400, words);
  free(bytes);
  return value;
}
