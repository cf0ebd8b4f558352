#!/bin/sh
# Print the C file with the embedded files: sh embed.sh FILE ... (names relative to the tree, without special
# characters). The assembler reads them, so this takes no time. The table is sorted by name, as strcmp does.
set -eu
export LC_ALL=C

# The name of a file in the program.
name_of() {
  case $1 in
    scripts/playground/page/*) echo "/${1#scripts/playground/page/}" ;;
    scripts/playground/lua/*) echo "playground/${1#scripts/playground/lua/}" ;;
    scripts/anomaly/lua/*) echo "anomaly/${1#scripts/anomaly/lua/}" ;;
    scripts/*) echo "/$1" ;;
    lua/*) echo "${1#lua/}" ;;
    *) echo "embed.sh: no place for $1" >&2; exit 1 ;;
  esac
}

for f; do name=$(name_of "$f"); echo "$name $f"; done | sort | awk '
  { name[NR] = $1; path[NR] = $2 }
  END {
    print "/* Made by embed.sh. */\n#include \"files.h\"\n\n__asm__(\".section .rodata\\n\""
    for (i = 1; i <= NR; i++)
      printf "  \"embedded_%d: .incbin \\\"%s\\\"\\nembedded_end_%d: .byte 0\\n\"\n", i, path[i], i
    print "  \".previous\");\n\n#define HIDDEN extern __attribute__((visibility(\"hidden\"))) const char"
    for (i = 1; i <= NR; i++) printf "HIDDEN embedded_%d[], embedded_end_%d[];\n", i, i
    print "\nconst file files_embedded[] = {"
    for (i = 1; i <= NR; i++) printf "  {\"%s\", embedded_%d, embedded_end_%d},\n", name[i], i, i
    print "};\nconst size_t files_count = sizeof files_embedded / sizeof *files_embedded;"
  }'
