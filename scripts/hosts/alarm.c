/* alarm.c - rows of a CSV file to scores and the column that each has most to do with. */
#include <moonglass.h>
#include <stdio.h>

#define TRY(call) \
  if (call) return fprintf(stderr, "alarm: %s\n", moon_error(ctx)), 1

int main(int argc, char **argv) {
  moon_ctx *ctx;
  moon_detector *d;
  moon_csv *csv;
  moon_tensor *row, *score;
  moon_reason why;
  size_t rows;
  if (argc != 3 || moon_ctx_new(&ctx, NULL)) return fputs("usage: alarm DETECTOR.safetensors ROWS.csv\n", stderr), 2;
  TRY(moon_detector_load(ctx, &d, argv[1]));
  TRY(moon_detector_open_csv(d, &csv, argv[2]));
  TRY(moon_tensor_new(ctx, &row, MOON_FLOAT32, 2, (size_t[]){1, moon_detector_columns(d)}));
  TRY(moon_tensor_new(ctx, &score, MOON_FLOAT32, 1, (size_t[]){1}));
  for (;;) {
    TRY(moon_csv_read(csv, row, NULL, &rows));
    if (rows == 0) return 0;
    TRY(moon_detector_score(d, score, row, 0));
    TRY(moon_detector_explain(d, &why, 1, row));
    printf("%.9g\t%s %.6g (expected %.6g)\n", moon_tensor_get(score, 0), why.column, why.value, why.expected);
  }
}
