/* bind_digest.c - a number for the bits of tensors. The ranks of a distributed fit compare it after each epoch. */
#include <string.h>

#include "bind_args.h"
#include "bind_function.h"
#include "bind_handle.h"
#include "bind_open.h"

/* Each step is a bijection of the sum, so two contents that differ in one word never have the same sum. The multiplier
** is 2^64 over the golden ratio; the shift brings the high bits, which depend on all bits, to the low ones. */
static uint64_t add_word(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9E3779B97F4A7C15U;
  return sum ^ (sum >> 32);
}

static uint64_t add_bytes(uint64_t sum, const unsigned char *bytes, size_t n) {
  uint64_t word;
  for (; n >= sizeof word; n -= sizeof word, bytes += sizeof word) {
    memcpy(&word, bytes, sizeof word);
    sum = add_word(sum, word);
  }
  word = 0;
  memcpy(&word, bytes, n);
  return add_word(add_word(sum, word), n);
}

/* core.digest(list): a number that depends on every bit of the tensors in a list, and on their order. */
static int core_digest(lua_State *L) {
  uint64_t sum = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  size_t n = lua_rawlen(L, 1);
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i);
    const moon_tensor *t = bind_check_tensor(L, 2);
    sum = add_bytes(sum, moon_tensor_data(t), moon_tensor_bytes(t));
    lua_pop(L, 1);
  }
  lua_pushinteger(L, (lua_Integer)sum);
  return 1;
}

static const bind_reg functions[] = {{"digest", core_digest, "list"}, {0}};

void bind_open_digest(lua_State *L) { bind_functions(L, functions); }
