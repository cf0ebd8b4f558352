# What lint_layers.sh and lint_text.sh share: `rule`, and `broken`, which is 1 once a rule does not hold.
broken=0

# rule <what> <offenders>: no offenders, no complaint.
rule() {
  [ -z "$2" ] && return
  echo "lint: $1:"
  echo "$2" | sed 's/^/  /'
  broken=1
}
