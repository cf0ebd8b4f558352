# Shared by lint_layers.sh and lint_text.sh: `rule`, and `broken`, which becomes 1 when a rule is broken.
broken=0

# rule <what> <offenders>: report the offenders of a rule, if there are any.
rule() {
  [ -z "$2" ] && return
  echo "lint: $1:"
  echo "$2" | sed 's/^/  /'
  broken=1
}
