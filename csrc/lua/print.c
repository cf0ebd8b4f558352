/* print.c - tensors as text, in numpy's layout: aligned columns, at most four digits after the point, scientific
** notation if the values differ too much, and only the edges of large tensors, unless print_options has set this
** otherwise. The last line has the shape and the element type. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bind_tensor.h"

enum { WORD = 80 };

/* What print_options sets, for each state: a userdata in its registry, under the address of style_key. */
typedef struct style {
  int precision, edge_items, width; /* digits after the point, items at an edge, characters in a line */
  size_t threshold;                 /* of more elements than this only the edges are shown */
} style;

static const char style_key;

typedef struct page {
  style style;
  lua_State *L;
  luaL_Buffer out;
  const moon_tensor *t;
  size_t inner[MOON_MAX_RANK]; /* stride of each dimension, in elements */
  bool summarised;             /* long dimensions show their edges only */
  size_t column;               /* of the current line */
  /* the format of the elements */
  bool bytes, scientific;
  float smallest, largest; /* absolute values, of finite elements other than 0 */
  int left, right;         /* characters before and after the point */
} page;

static style style_of(lua_State *L) {
  style s = {.precision = 4, .edge_items = 3, .width = 75, .threshold = 1000};
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &style_key) == LUA_TUSERDATA) s = *(style *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

/* ---- one element ---- */

/* Replace the locale's decimal point, which snprintf writes, by '.'. */
static void neutral_point(char *text) {
  char *p = text, *q = text;
  while (*p) {
    if (strchr("0123456789+-einfa", *p)) {
      *q++ = *p++;
      continue;
    }
    *q++ = '.';
    while (*p && !strchr("0123456789", *p)) p++;
  }
  *q = '\0';
}

/* Write v with the fewest digits after the point that distinguish it from all other floats, at most `most`. Returns
** their number. */
static int shortest(char *text, int most, bool scientific, float v) {
  for (int digits = 0; digits <= most; digits++) {
    snprintf(text, WORD, scientific ? "%.*e" : "%.*f", digits, (double)v);
    if (strtof(text, NULL) != v && digits < most) continue;
    neutral_point(text);
    break;
  }
  char *point = strchr(text, '.');
  if (!point) return 0;
  char *end = point + 1 + strspn(point + 1, "0123456789"), *rest = end;
  while (end[-1] == '0') end--;
  memmove(end, rest, strlen(rest) + 1);
  return (int)(end - point - 1);
}

/* In scientific notation all numbers have the same number of digits, and a point even if nothing follows it. */
static void write_scientific(char *text, int digits, float v) {
  snprintf(text, WORD, "%.*e", digits, (double)v);
  neutral_point(text);
  if (digits) return;
  char *e = strchr(text, 'e');
  memmove(e + 1, e, strlen(e) + 1);
  *e = '.';
}

/* The width of an element in characters, padding included. */
static int width(const page *g) { return g->bytes ? g->left : g->left + 1 + g->right + (g->scientific ? 4 : 0); }

static const char *not_finite(float v) { return isnan(v) ? "nan" : v > 0 ? "inf" : "-inf"; }

static void write_word(const page *g, char *word, double value) {
  char text[WORD];
  float v = (float)value;
  if (g->bytes) {
    snprintf(word, WORD, "%*d", g->left, (int)value);
  } else if (!isfinite(v)) {
    snprintf(word, WORD, "%*s", width(g), not_finite(v));
  } else if (g->scientific) {
    write_scientific(text, g->right, v);
    snprintf(word, WORD, "%*s", width(g), text);
  } else {
    int digits = shortest(text, g->style.precision, false, v);
    int whole = (int)strcspn(text, ".");
    snprintf(word, WORD, "%*.*s.%-*.*s", g->left, whole, text, g->right, digits, digits ? text + whole + 1 : "");
  }
}

/* ---- the format, from all elements that will be shown ---- */

static void see_range(page *g, double value) {
  float size = fabsf((float)value);
  if (size == 0 || !isfinite(size)) return;
  if (size > g->largest) g->largest = size;
  if (size < g->smallest) g->smallest = size;
}

static void see_room(page *g, double value) {
  char text[WORD];
  float v = (float)value;
  if (!isfinite(v)) return;
  int digits = g->bytes ? (snprintf(text, WORD, "%d", (int)value), 0)
                        : shortest(text, g->style.precision, g->scientific, v);
  int whole = (int)strcspn(text, ".e");
  if (digits > g->right) g->right = digits;
  if (whole > g->left) g->left = whole;
}

/* After the widths of the finite elements are known: nan and inf may need more. */
static void see_not_finite(page *g, double value) {
  if (isfinite((float)value)) return;
  int missing = (int)strlen(not_finite((float)value)) - width(g);
  if (missing > 0) g->left += missing;
}

/* The index after i along a dimension of n: the middle is left out. */
static bool shows_edges(const page *g, size_t n) { return g->summarised && n > 2 * (size_t)g->style.edge_items; }
static size_t next_place(const page *g, size_t i, size_t n) {
  size_t edge = (size_t)g->style.edge_items;
  return shows_edges(g, n) && i + 1 == edge ? n - edge : i + 1;
}

static void visit(page *g, int dim, size_t at, void (*see)(page *, double)) {
  if (dim == moon_tensor_rank(g->t)) {
    see(g, moon_tensor_get(g->t, at));
    return;
  }
  size_t n = moon_tensor_shape(g->t)[dim];
  for (size_t i = 0; i < n; i = next_place(g, i, n)) visit(g, dim + 1, at + i * g->inner[dim], see);
}

static void measure(page *g) {
  g->smallest = INFINITY;
  visit(g, 0, 0, see_range);
  g->scientific = !g->bytes && g->largest > 0 &&
                  (g->largest >= 1e8f || g->smallest < 1e-4f || g->largest / g->smallest > 1000);
  visit(g, 0, 0, see_room);
  visit(g, 0, 0, see_not_finite);
}

/* ---- the page ---- */

static void spaces(page *g, size_t n) {
  while (n--) luaL_addchar(&g->out, ' ');
}

/* Break the line if the word does not fit; the padding of the word before it is removed. */
static void add_word(page *g, const char *word, bool first) {
  size_t indent = (size_t)moon_tensor_rank(g->t), n = strlen(word), limit = (size_t)g->style.width - indent;
  if (!first && g->column + 1 + n > limit) {
    while (luaL_bufflen(&g->out) && luaL_buffaddr(&g->out)[luaL_bufflen(&g->out) - 1] == ' ') luaL_buffsub(&g->out, 1);
    luaL_addchar(&g->out, '\n');
    spaces(g, indent);
    g->column = indent;
  } else if (!first) {
    luaL_addchar(&g->out, ' ');
    g->column++;
  }
  luaL_addstring(&g->out, word);
  g->column += n;
}

static void write_line(page *g, size_t at, size_t n) {
  char word[WORD];
  g->column = (size_t)moon_tensor_rank(g->t);
  for (size_t i = 0; i < n; i = next_place(g, i, n)) {
    if (shows_edges(g, n) && i == n - (size_t)g->style.edge_items) add_word(g, "...", false);
    write_word(g, word, moon_tensor_get(g->t, at + i));
    add_word(g, word, i == 0);
  }
}

/* Dimension dim from element `at` on; blank lines separate matrices. */
static void write_block(page *g, int dim, size_t at) {
  int rank = moon_tensor_rank(g->t);
  size_t n = moon_tensor_shape(g->t)[dim];
  luaL_addchar(&g->out, '[');
  if (dim == rank - 1) {
    write_line(g, at, n);
  } else {
    for (size_t i = 0; i < n; i = next_place(g, i, n)) {
      bool gap = shows_edges(g, n) && i == n - (size_t)g->style.edge_items;
      for (int part = 0; part < 1 + gap; part++) {
        for (int line = dim + 1; i && line < rank; line++) luaL_addchar(&g->out, '\n');
        if (i) spaces(g, (size_t)dim + 1);
        if (part < gap) luaL_addstring(&g->out, "...");
      }
      write_block(g, dim + 1, at + i * g->inner[dim]);
    }
  }
  luaL_addchar(&g->out, ']');
}

static void write_values(page *g) {
  char word[WORD];
  if (!moon_tensor_numel(g->t)) {
    luaL_addstring(&g->out, "[]");
    return;
  }
  measure(g);
  if (moon_tensor_rank(g->t)) {
    write_block(g, 0, 0);
  } else {
    write_word(g, word, moon_tensor_get(g->t, 0));
    luaL_addstring(&g->out, word);
  }
}

void bind_push_tensor_text(lua_State *L, const moon_tensor *t) {
  page g = {.style = style_of(L), .L = L, .t = t};
  g.bytes = moon_tensor_dtype(t) == MOON_UINT8;
  g.summarised = moon_tensor_numel(t) > g.style.threshold;
  size_t inner = 1;
  for (int i = moon_tensor_rank(t); i--; inner *= moon_tensor_shape(t)[i]) g.inner[i] = inner;
  luaL_buffinit(L, &g.out);
  write_values(&g);
  luaL_addchar(&g.out, '\n');
  bind_push_shape(L, moon_tensor_rank(t), moon_tensor_shape(t));
  luaL_addvalue(&g.out);
  luaL_addstring(&g.out, g.bytes ? " uint8" : " float32");
  luaL_pushresult(&g.out);
}

/* ---- print_options ---- */

enum { MAX_PRECISION = 9, MAX_EDGE = 1000, MIN_WIDTH = 20, MAX_WIDTH = 100000 };

static void set_option(lua_State *L, style *s, const char *key, int value) {
  static const char *const known[] = {"precision", "threshold", "edge_items", "width", NULL};
  static const char name[] = "print_options";
  if (strcmp(key, "precision") == 0)
    s->precision = (int)bind_whole(L, value, name, key, 0, 0, MAX_PRECISION);
  else if (strcmp(key, "threshold") == 0)
    s->threshold = (size_t)bind_whole(L, value, name, key, 0, 0, INT_MAX);
  else if (strcmp(key, "edge_items") == 0)
    s->edge_items = (int)bind_whole(L, value, name, key, 0, 1, MAX_EDGE);
  else if (strcmp(key, "width") == 0)
    s->width = (int)bind_whole(L, value, name, key, 0, MIN_WIDTH, MAX_WIDTH);
  else
    bind_unknown(L, name, "option", key, known);
}

/*** @class moonglass.PrintOptions
** Options of `moon.print_options`.
** @field precision integer? default 4, at most 9: the most digits after the point
** @field threshold integer? default 1000: the most elements that are shown in full
** @field edge_items integer? default 3: elements shown at either end of a dimension that is summarised
** @field width integer? default 75: characters per line */

/*** moon.print_options(options)
** Set how tensors are printed. Options that are not given keep their values.
** @param options moonglass.PrintOptions?
** @return moonglass.PrintOptions options the current values */
int bind_print_options(lua_State *L) {
  style s = style_of(L);
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 2)) {
      const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : bind_shown(L, 2);
      set_option(L, &s, key, 3);
    }
    *(style *)lua_newuserdatauv(L, sizeof s, 0) = s;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &style_key);
  }
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, s.precision);
  lua_setfield(L, -2, "precision");
  lua_pushinteger(L, (lua_Integer)s.threshold);
  lua_setfield(L, -2, "threshold");
  lua_pushinteger(L, s.edge_items);
  lua_setfield(L, -2, "edge_items");
  lua_pushinteger(L, s.width);
  lua_setfield(L, -2, "width");
  return 1;
}
