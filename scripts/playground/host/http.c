/* http.c - the web server. civetweb reads requests and has a thread for each connection; everything else is here. */
#include "http.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "stream.h"

enum { LARGEST_BODY = 2 << 20, LARGEST_SMALL_BODY = 1024, LARGEST_DROPPED = 16 << 20, WORKERS_BESIDES = 16 };

/* mg_read returns when it has all that it was asked for, however slowly it comes: only between two calls can a body be
** too slow. */
enum { AT_ONCE = 64 };
static const double BODY_SECONDS = 10, DROP_SECONDS = 3, ANSWER_SECONDS = 20;

/* Sessions are opened by people, but 50 of them may come at once. */
static const double OPENED_A_SECOND = 20, OPENED_AT_ONCE = 100;

struct http {
  http_config config;
  guard guard;
  struct mg_context *server;
  bucket opened;
  atomic_int streams; /* open ones; the other threads answer requests */
  atomic_bool started, stopped;
  char problem[200]; /* civetweb's last message before it is started */
};

typedef struct mg_connection connection;
typedef struct mg_request_info request;

/* ---- answers ---- */

/* Nothing but this server's own files and answers; no frame, no form. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n";

/* Send an answer; more: further header lines. A body of size 0 may be NULL. Returns the status, as handlers do. */
static int answer(connection *c, int status, const char *type, const char *more, const char *body, size_t size) {
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

static int answer_json(connection *c, int status, const char *more, const text *t) {
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

/* An error, in words for people. If the body has not been read, what follows on the connection is no request. */
static int refuse_with(connection *c, int status, const char *more, const char *words) {
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

static int refuse(connection *c, int status, const char *words) { return refuse_with(c, status, "", words); }

/* ---- the page ---- */

static uint64_t digest(const file *f) { /* FNV-1a: it only has to change with the file */
  uint64_t h = UINT64_C(14695981039346656037);
  for (const char *p = f->data; p < f->end; p++) h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
  return h;
}

static int get_file(http *h, connection *c) {
  (void)h;
  const char *path = mg_get_request_info(c)->local_uri_raw, *seen = mg_get_header(c, "If-None-Match");
  const file *f = files_find(strcmp(path, "/") == 0 ? "/index.html" : path);
  char tag[24], line[40];
  if (!f || *path != '/') return refuse(c, 404, "there is no such file here; the page is at /");
  snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)digest(f));
  snprintf(line, sizeof line, "ETag: %s\r\n", tag);
  int status = seen && strcmp(seen, tag) == 0 ? 304 : 200;
  return answer(c, status, files_type(f->name), line, f->data, (size_t)(f->end - f->data));
}

/* ---- the API ---- */

/* Check a body's type and size before it is read. 0: read it. */
static int check_body(connection *c, long long largest) {
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

/* The object in the body. NULL with the status that was answered. */
static json_t *read_body(connection *c, int *status) {
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

static int post_session(http *h, connection *c) {
  const char *words;
  int status = check_body(c, LARGEST_SMALL_BODY);
  if (status) return status;
  json_t *body = read_body(c, &status);
  if (!body) return status;
  json_decref(body);
  if (!bucket_take(&h->opened))
    return refuse_with(c, 429, "Retry-After: 1\r\n", "too many new sessions at once; try again in a second");
  session *s = sessions_open(h->config.table, &words);
  if (!s) return refuse_with(c, 503, "Retry-After: 5\r\n", words);
  text t = {.limit = 1024};
  text_format(&t, "{\"token\":\"%s\",\"version\":\"%s\",\"data\":", s->token, moon_version());
  const char *name = data_name(h->config.set);
  if (name)
    text_quote(&t, name, strlen(name));
  else
    text_put(&t, "null");
  text_put(&t, "}");
  session_release(s);
  answer_json(c, 200, "", &t);
  text_free(&t);
  return 200;
}

static const char no_session[] = "there is no session with this token: it has ended, or never was; load the page again";

static int ask(session *s, connection *c) {
  int status = check_body(c, LARGEST_BODY);
  if (status) return status;
  if (!bucket_take(&s->commands))
    return refuse_with(c, 429, "Retry-After: 1\r\n", "too many commands a second; try again in a second");
  json_t *command = read_body(c, &status);
  if (!command) return status;
  if (!json_is_string(json_object_get(command, "do"))) {
    json_decref(command);
    return refuse(c, 400, "expected a command: {\"do\": \"name\", ...}");
  }
  text t = {.limit = 33 << 20};
  status = mailbox_ask(&s->state.mail, command, ANSWER_SECONDS, &t);
  session_touch(s);
  answer_json(c, status, "", &t);
  text_free(&t);
  return status;
}

static int post_command(http *h, connection *c) {
  const char *token = mg_get_header(c, "X-Moonglass-Token");
  session *s = token ? sessions_find(h->config.table, token) : NULL;
  if (!s) return refuse(c, 401, no_session);
  session_touch(s);
  int status = ask(s, c);
  session_release(s);
  return status;
}

static int most_streams(const http *h) { return 2 * h->config.sessions + 4; }

static int get_stream(http *h, connection *c) {
  char token[TOKEN_SIZE + 2] = "";
  const char *query = mg_get_request_info(c)->query_string;
  if (query) mg_get_var(query, strlen(query), "token", token, sizeof token);
  session *s = sessions_find(h->config.table, token);
  if (!s) return refuse(c, 401, no_session);
  if (atomic_fetch_add(&h->streams, 1) < most_streams(h)) {
    mg_disable_connection_keep_alive(c);
    mg_printf(c,
              "HTTP/1.1 200 OK\r\n%sContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
              "Connection: close\r\n\r\n",
              headers);
    stream_serve(c, s);
  } else {
    refuse_with(c, 503, "Retry-After: 5\r\n", "too many streams are open; close a tab with this page");
  }
  atomic_fetch_sub(&h->streams, 1);
  session_release(s);
  return 200;
}

/* ---- requests ---- */

typedef int (*handler)(http *h, connection *c);

/* The handler of a path and its method. */
static handler find_handler(const char *path, const char **methods) {
  static const struct {
    const char *path, *methods;
    handler handler;
  } routes[] = {
      {"/api/session", "POST", post_session},
      {"/api/command", "POST", post_command},
      {"/api/stream", "GET", get_stream},
  };
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (strcmp(path, routes[i].path) == 0) {
      *methods = routes[i].methods;
      return routes[i].handler;
    }
  *methods = "GET, HEAD";
  return get_file;
}

static int refuse_host(const http *h, connection *c) {
  char words[300];
  const char *name = h->guard.name ? h->guard.name : h->guard.address;
  snprintf(words, sizeof words, "this server answers only to its own name: open http://%s:%d/", name, http_port(h));
  return refuse(c, 403, words);
}

static bool has_word(const char *list, const char *word) {
  const char *at = strstr(list, word);
  return at && (at == list || at[-1] == ' ') && strchr(",", at[strlen(word)]);
}

static int on_request(connection *c) {
  http *h = mg_get_user_data(mg_get_context(c));
  const request *r = mg_get_request_info(c);
  const char *host = mg_get_header(c, "Host"), *methods;
  char line[64];
  if (!host || !guard_host(&h->guard, host)) return refuse_host(h, c);
  if (!guard_origin(&h->guard, mg_get_header(c, "Origin"), host))
    return refuse(c, 403, "another page asked; this server answers only to its own page (Origin)");
  if (!r->local_uri_raw) return refuse(c, 400, "expected the path of a file");
  handler handle = find_handler(r->local_uri_raw, &methods);
  snprintf(line, sizeof line, "Allow: %s\r\n", methods);
  if (!has_word(methods, r->request_method)) return refuse_with(c, 405, line, "this address has no such method");
  return handle(h, c);
}

/* civetweb refuses what is no request, with a status and words of its own. */
static int on_error(connection *c, int status, const char *words) {
  mg_disable_connection_keep_alive(c);
  refuse_with(c, status, "Connection: close\r\n", words && *words ? words : mg_get_response_code_text(c, status));
  return 0;
}

static int on_message(const connection *c, const char *message) {
  http *h = mg_get_user_data(mg_get_context(c));
  if (h && !atomic_load(&h->started)) snprintf(h->problem, sizeof h->problem, "%s", message);
  return 1;
}

/* ---- starting and stopping ---- */

/* civetweb's settings: no folder of files, connections that stay open, an end for those on which nothing happens. */
static struct mg_context *start_server(http *h) {
  char port[64], workers[16];
  struct mg_callbacks callbacks = {.begin_request = on_request, .http_error = on_error, .log_message = on_message};
  const char *const fixed[][2] = {
      {"enable_keep_alive", "yes"}, {"keep_alive_timeout_ms", "500"}, {"request_timeout_ms", "5000"},
      {"tcp_nodelay", "1"},         {"max_request_size", "8192"},     {"decode_url", "no"},
      {"connection_queue", "100"},
  };
  enum { FIXED = sizeof fixed / sizeof *fixed };
  const char *settings[2 * FIXED + 5] = {"listening_ports", port, "num_threads", workers};
  for (size_t i = 0; i < 2 * FIXED; i++) settings[4 + i] = fixed[i / 2][i % 2];
  snprintf(port, sizeof port, "%s:%d", h->config.address, h->config.port);
  snprintf(workers, sizeof workers, "%d", most_streams(h) + h->config.sessions + WORKERS_BESIDES);
  return mg_start(&callbacks, h, settings);
}

http *http_start(const http_config *config, char *words, size_t room) {
  struct mg_server_port listening = {0};
  http *h = calloc(1, sizeof *h);
  snprintf(words, room, "out of memory");
  if (!h || !bucket_init(&h->opened, OPENED_A_SECOND, OPENED_AT_ONCE)) {
    free(h);
    return NULL;
  }
  h->config = *config;
  h->guard.address = config->address, h->guard.name = config->name;
  atomic_init(&h->guard.port, config->port);
  h->server = start_server(h);
  if (h->server && mg_get_server_ports(h->server, 1, &listening) == 1) {
    atomic_store(&h->guard.port, listening.port);
    atomic_store(&h->started, true);
    return h;
  }
  snprintf(words, room, "%s", h->problem);
  http_stop(h);
  return NULL;
}

int http_port(const http *h) { return atomic_load(&h->guard.port); }

static void *stop(void *ud) {
  http *h = ud;
  mg_stop(h->server);
  atomic_store(&h->stopped, true);
  return NULL;
}

/* Connect to this server, and say nothing. */
static void knock(const http *h) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(h))};
  int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, h->config.address, &to.sin_addr);
  if (socket_number < 0) return;
  connect(socket_number, (struct sockaddr *)&to, sizeof to);
  close(socket_number);
}

/* civetweb's thread that accepts connections sleeps up to two seconds before it sees the end: connections wake it. */
static void stop_server(http *h) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, stop, h) != 0) {
    mg_stop(h->server);
    return;
  }
  while (!atomic_load(&h->stopped)) {
    struct timespec pause = {0, 10 * 1000 * 1000};
    nanosleep(&pause, NULL);
    knock(h);
  }
  pthread_join(thread, NULL);
}

void http_stop(http *h) {
  if (h->server) stop_server(h);
  bucket_destroy(&h->opened);
  free(h);
}
