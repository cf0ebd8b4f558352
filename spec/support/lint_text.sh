#!/bin/sh
# Check the rules of texts: sh spec/support/lint_text.sh. A line of code or comment has at most 120 characters
# (clang-format does not change comments), no line ends with blanks, and every file ends with one line feed. The
# playground's page makes no markup from texts and asks no other origin.
set -uf # file names below have stars
export LC_ALL=C.UTF-8 # characters, not bytes
. spec/support/lint_rule.sh

# texts <name ...> -- <command ...>: run the command on hand-written files with matching names.
texts() {
  names=
  while [ "$1" != -- ]; do names="$names -o -name $1"; shift; done
  shift
  find . \( -path ./.git -o -path ./build -o -path ./out -o -path ./data/mnist -o -path ./spec/fuzz/seeds \
    -o -path ./lua/moonglass/help/meta.lua \) -prune \
    -o -type f \( ${names# -o} \) -exec "$@" {} + | sed 's|^\./||' | sort
}

code='*.[ch] *.cpp *.js *.css *.html *.lua *.rockspec *.sh run *.py *.mk Makefile'
pages='*.md *.txt *.in *.dict .[a-z]* Doxyfile'

rule "lines beyond 120 characters" "$(texts $code -- grep -nHE '^.{121}')"
rule "blanks at the end of a line" "$(texts $code $pages -- grep -nHE '[[:blank:]]+$')"

endings='for f; do case $(tail -c 2 "$f" | od -An -tx1) in " 0a 0a" | *" "0[!a] | *" "[!0]?) echo "$f" ;; esac; done'
rule "files that do not end with one line feed" "$(texts $code $pages -- sh -c "$endings" sh)"

# The playground's page: its policy refuses markup with styles or scripts, and it asks no other origin.
page() {
  find scripts/playground/page -type f -name "$1" -exec grep -nHE "$2" {} + | grep -vF http://www.w3.org/ | sort
}
rule "markup made from a text, or words for the console" \
  "$(page '*.js' '(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|console\.(log|debug|info)')"
rule "styles or scripts in markup" "$(page '*.html' '<style|\b(style|on[a-z]+)=|<script[^>]*>[^<]')"
rule "addresses of another origin in the page" "$(page '*' '(https?|wss?)://')"

exit $broken
