/* api.c - the page's files, sessions, commands and streams. */
#include "api.h"

#include <moonglass.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "json.h"
#include "stream.h"

enum { LARGEST_BODY = 2 << 20, LARGEST_SMALL_BODY = 1024 };
static const double ANSWER_SECONDS = 20;

/* Sessions are opened by people, but 50 of them may come at once. */
static const double OPENED_A_SECOND = 20, OPENED_AT_ONCE = 100;

bool api_init(api *a, sessions *table, data *set, int most_sessions) {
  *a = (api){.table = table, .set = set, .most_sessions = most_sessions};
  return bucket_init(&a->opened, OPENED_A_SECOND, OPENED_AT_ONCE);
}

void api_destroy(api *a) { bucket_destroy(&a->opened); }

int api_most_streams(const api *a) { return 2 * a->most_sessions + 4; }

/* ---- the page ---- */

static uint64_t digest(const file *f) { /* FNV-1a: it only has to change with the file */
  uint64_t h = UINT64_C(14695981039346656037);
  for (const char *p = f->data; p < f->end; p++) h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
  return h;
}

static int get_file(api *a, connection *c) {
  (void)a;
  const char *path = mg_get_request_info(c)->local_uri_raw, *seen = mg_get_header(c, "If-None-Match");
  const file *f = files_find(strcmp(path, "/") == 0 ? "/index.html" : path);
  char tag[24], line[40];
  if (!f || *path != '/') return refuse(c, 404, "there is no such file here; the page is at /");
  snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)digest(f));
  snprintf(line, sizeof line, "ETag: %s\r\n", tag);
  int status = seen && strcmp(seen, tag) == 0 ? 304 : 200;
  return answer(c, status, files_type(f->name), line, f->data, (size_t)(f->end - f->data));
}

/* ---- sessions, commands, streams ---- */

static int post_session(api *a, connection *c) {
  const char *words;
  int status = check_body(c, LARGEST_SMALL_BODY);
  if (status) return status;
  json_t *body = read_body(c, &status);
  if (!body) return status;
  json_decref(body);
  if (!bucket_take(&a->opened))
    return refuse_with(c, 429, "Retry-After: 1\r\n", "too many new sessions at once; try again in a second");
  session *s = sessions_open(a->table, &words);
  if (!s) return refuse_with(c, 503, "Retry-After: 5\r\n", words);
  text t = {.limit = 1024};
  text_format(&t, "{\"token\":\"%s\",\"version\":\"%s\",\"data\":", s->token, moon_version());
  const char *name = data_name(a->set);
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

static int post_command(api *a, connection *c) {
  const char *token = mg_get_header(c, "X-Moonglass-Token");
  session *s = token ? sessions_find(a->table, token) : NULL;
  if (!s) return refuse(c, 401, no_session);
  session_touch(s);
  int status = ask(s, c);
  session_release(s);
  return status;
}

static int get_stream(api *a, connection *c) {
  char token[TOKEN_SIZE + 2] = "";
  const char *query = mg_get_request_info(c)->query_string;
  if (query) mg_get_var(query, strlen(query), "token", token, sizeof token);
  session *s = sessions_find(a->table, token);
  if (!s) return refuse(c, 401, no_session);
  if (atomic_fetch_add(&a->streams, 1) < api_most_streams(a)) {
    answer_stream(c);
    stream_serve(c, s);
  } else {
    refuse_with(c, 503, "Retry-After: 5\r\n", "too many streams are open; close a tab with this page");
  }
  atomic_fetch_sub(&a->streams, 1);
  session_release(s);
  return 200;
}

/* ---- addresses ---- */

api_handler *api_find(const char *path, const char **methods) {
  static const struct {
    const char *path, *methods;
    api_handler *handler;
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
