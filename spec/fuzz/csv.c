/* csv.c - fuzz target: a CSV file, plain or gzipped. The first byte chooses the options, the rest is the file. It is
** read twice, many rows at a time and one at a time: rows, lines and errors must be the same, and after an error
** reading goes on. Places lead back to the same rows. */
#include "fuzz.h"

enum { ROWS = 8, WIDTH = 64 };

/* Everything that a reading has come across, as one number. */
typedef struct seen {
  uint64_t digest;
  size_t rows, errors;
} seen;

static void see(seen *s, const void *bytes, size_t size) {
  const uint8_t *p = bytes;
  for (size_t i = 0; i < size; i++) s->digest = (s->digest ^ p[i]) * 0x100000001b3u;
}

static moon_csv *open_csv(moon_ctx *ctx, const char *path, uint8_t choice) {
  static const char *const columns[] = {"2", "a"}, *const values[] = {"x", "yy"};
  const moon_csv_category category = {"b", choice & 64 ? values : NULL, 2};
  moon_csv_config config = {.size = sizeof config};
  moon_csv *csv = NULL;
  config.header = (choice & 3) == 3 ? 0 : (choice & 3) - 1;
  if (choice & 4) config.decimal = ',';
  if (choice & 8) config.columns = columns, config.column_count = 2;
  if ((choice & 24) == 16) config.ignore = columns, config.ignore_count = 1;
  if (choice & 16) config.label = "c";
  if (choice & 32) config.categories = &category, config.category_count = 1;
  config.follow = choice & 128;
  moon_status status = moon_csv_open(ctx, &csv, path, &config);
  fuzz_loaded(ctx, status, csv);
  return csv;
}

/* Read what is there, n rows at a time. */
static seen read_all(moon_ctx *ctx, moon_csv *csv, size_t n, bool labels) {
  seen s = {0};
  const size_t width = moon_csv_width(csv);
  size_t lines[ROWS], got = 1;
  moon_tensor *x = NULL, *y = NULL;
  EXPECT(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){n, width}) == MOON_OK);
  EXPECT(moon_tensor_new(ctx, &y, MOON_FLOAT32, 1, (size_t[]){n}) == MOON_OK);
  moon_csv_set_lines(csv, lines);
  while (got) {
    moon_status status = moon_csv_read(csv, x, labels ? y : NULL, &got);
    EXPECT(status == MOON_OK || status == MOON_EFORMAT);
    if (status == MOON_OK) {
      EXPECT(got <= n && (!got || moon_csv_line(csv) == lines[got - 1]));
      for (size_t i = 0; i < got; i++) {
        see(&s, moon_tensor_float(x) + i * width, width * sizeof(float));
        if (labels) see(&s, moon_tensor_float(y) + i, sizeof(float));
        see(&s, lines + i, sizeof *lines);
      }
      s.rows += got;
    } else {
      see(&s, moon_error(ctx), strlen(moon_error(ctx)));
      s.errors++;
      got = 1;
    }
  }
  moon_tensor_release(x);
  moon_tensor_release(y);
  return s;
}

static void check_names(const moon_csv *csv) {
  size_t n;
  for (size_t i = 0; i < moon_csv_width(csv); i++) EXPECT(moon_csv_column(csv, i));
  EXPECT(!moon_csv_column(csv, moon_csv_width(csv)) && moon_csv_field(csv, 0));
  const moon_csv_category *categories = moon_csv_categories(csv, &n);
  for (size_t i = 0; i < n; i++) EXPECT(categories[i].column);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  moon_ctx *ctx = fuzz_ctx();
  const char *path = fuzz_file(data + 1, size - 1);
  const bool labels = data[0] & 16;
  moon_csv *csv = open_csv(ctx, path, data[0]), *again = csv ? open_csv(ctx, path, data[0]) : NULL;
  EXPECT(!csv == !again);
  if (csv && moon_csv_width(csv) <= WIDTH) {
    size_t most = 0;
    const moon_csv_place start = moon_csv_tell(csv);
    check_names(csv);
    seen many = read_all(ctx, csv, ROWS, labels), one = read_all(ctx, again, 1, labels);
    EXPECT(many.digest == one.digest && many.rows == one.rows && many.errors == one.errors);
    EXPECT(moon_csv_missing(csv) == moon_csv_missing(again));
    moon_status status = moon_csv_most_rows(csv, &most);
    EXPECT(status == MOON_EFORMAT || (status == MOON_OK && (many.errors || many.rows <= most)));
    status = moon_csv_seek(csv, &start);
    EXPECT(status == MOON_OK || status == MOON_ESTATE);
    /* A number that could be two is an error, unless a later row has told what separates decimals. */
    if (status == MOON_OK) EXPECT(read_all(ctx, csv, 3, labels).rows == many.rows || many.errors);
  }
  moon_csv_close(csv);
  moon_csv_close(again);
  fuzz_done(ctx, 64 << 20);
  return 0;
}
