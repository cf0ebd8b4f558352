/* http.c - the web server. civetweb reads requests and has a thread for each connection. */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api.h"

enum { WORKERS_BESIDES = 16 };

struct http {
  http_config config;
  guard guard;
  struct mg_context *server;
  api api;
  atomic_bool started, stopped;
  char problem[200]; /* civetweb's last message before it is started */
};

/* ---- requests ---- */

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
  api_handler *handle = api_find(r->local_uri_raw, &methods);
  snprintf(line, sizeof line, "Allow: %s\r\n", methods);
  if (!has_word(methods, r->request_method)) return refuse_with(c, 405, line, "this address has no such method");
  return handle(&h->api, c);
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
  snprintf(workers, sizeof workers, "%d", api_most_streams(&h->api) + h->config.sessions + WORKERS_BESIDES);
  return mg_start(&callbacks, h, settings);
}

http *http_start(const http_config *config, char *words, size_t room) {
  struct mg_server_port listening = {0};
  http *h = calloc(1, sizeof *h);
  snprintf(words, room, "out of memory");
  if (!h || !api_init(&h->api, config->table, config->set, config->sessions)) {
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
  api_destroy(&h->api);
  free(h);
}
