/* bind_source.h - calls of the engine in which sources' readers, which are Lua functions, may run (bind_source.c). */
#ifndef MOONGLASS_BIND_SOURCE_H
#define MOONGLASS_BIND_SOURCE_H

#include "bind_handle.h"
#include "bind_home.h"

/* One such call. What a reader raises cannot pass through the engine: it stays on the stack until the call is over. */
typedef struct bind_reading {
  lua_State *L;
  struct bind_reading *outer;
  struct bind_read *read; /* the reader that runs */
  int error;              /* the stack index of what a reader has raised; 0: nothing */
  bool foreign;           /* it is of a hook, or of Lua's memory: it must come out unchanged */
  bool placeless;         /* it is our message, without a place in the script */
} bind_reading;

/* Before and after such a call, which must not raise; readers run in L. */
static inline bind_home *bind_begin_reading(lua_State *L, bind_reading *reading) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  reading->L = L;
  reading->outer = h->reading;
  reading->read = NULL;
  reading->error = 0;
  reading->foreign = reading->placeless = false;
  h->reading = reading;
  return h;
}

static inline void bind_end_reading(bind_home *h) { h->reading = h->reading->outer; }

/* Assign the status of such a call. */
#define BIND_READ(L, frame, status, call)                \
  do {                                                   \
    bind_home *home_ = bind_begin_reading((L), (frame)); \
    (status) = (call);                                   \
    bind_end_reading(home_);                             \
  } while (0)

/* Raise what a reader has raised, or moon_error's text; never returns. */
int bind_raise_read(lua_State *L, moon_ctx *ctx, const bind_reading *reading);

/* As BIND_TRY, for a call in which readers may run. again: may the call be made a second time if memory runs out? */
#define BIND_TRY_READ(L, ctx, again, call)                          \
  do {                                                              \
    bind_reading reading_;                                          \
    moon_status status_;                                            \
    BIND_READ((L), &reading_, status_, call);                       \
    if (status_ == MOON_ENOMEM && (again)) {                        \
      bind_collect((L));                                            \
      BIND_READ((L), &reading_, status_, call);                     \
    }                                                               \
    if (status_ != MOON_OK) bind_raise_read((L), (ctx), &reading_); \
  } while (0)

/* Push a handle of the source at an index: another one, so that closing that one does not matter. */
moon_source *bind_push_source_again(lua_State *L, int index);

#endif
