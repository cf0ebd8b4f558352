#!/bin/sh
# Run README's two commands in a fresh Debian: sh spec/systems/debian.sh trixie [bookworm ...], as root, after
# `make deps-systems`. debootstrap makes each system in a temporary folder, from the mirror that apt uses here. The tree
# is copied to a folder whose name has a space and a letter beyond ASCII. The script prints the costs of `make deps
# demo` and runs the C tests. The last line is "N passed, N failed[, N skipped]".
#
# Mounts are made in a separate mount namespace, so they are gone when its last process ends.
set -u
cd "$(dirname "$0")/../.."
passed=0 failed=0 skipped=0

summary() {
  echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
  [ $failed -eq 0 ]
  exit
}

# check <what> <command ...>: passes if the command succeeds.
check() {
  what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "debian: failed: $what"; fi
}

# add <log>: add the last summary in the log; count a failure if there is none.
add() {
  set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)*$/\1 \2 \4/p' "$1" | tail -n 1)
  passed=$((passed + ${1:-0})) failed=$((failed + ${2:-1})) skipped=$((skipped + ${3:-0}))
}

# ---- outside: make a folder and a namespace for each system ----

# Print why the test cannot run here; nothing if it can.
hindrance() {
  [ "$(id -u)" = 0 ] || { echo "not root"; return; }
  for tool in debootstrap unshare chroot apt-get git; do
    command -v $tool >/dev/null || { echo "$tool is not installed (make deps-systems)"; return; }
  done
  unshare --mount --pid --fork true 2>/dev/null || { echo "no namespaces"; return; }
  [ -n "$(mirror)" ] || echo "apt has no Debian mirror configured"
}

# The mirror in apt's configuration.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' 2>/dev/null | head -n 1; }

if [ "${1:-}" != --inside ]; then
  trap 'exit 1' HUP INT TERM
  scratch=$(mktemp -d)
  trap 'rm -rf --one-file-system "$scratch"' EXIT
  for suite; do
    root=$scratch/$suite log=$scratch/$suite.log
    why=$(hindrance)
    if [ -n "$why" ]; then
      echo "debian: $suite skipped: $why"
      skipped=$((skipped + 1))
    else
      unshare --mount --pid --fork --kill-child sh "$0" --inside "$suite" "$root" 2>&1 | tee "$log"
      add "$log"
      rm -rf --one-file-system "$root"
    fi
  done
  summary
fi

# ---- inside the namespace ----

suite=$2 root=$3 tree="/moon glass é" log=$3.part
data=${MOONGLASS_DATA:-}

# here <command>: run a command in the new Debian, in the tree.
here() {
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 TERM=dumb \
    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" ${MNIST:+MOONGLASS_DATA=/mnist} sh -c "cd '$tree' && $1"
}

# The installed size of all packages, in kilobytes.
installed() { here "dpkg-query -W -f '\${Installed-Size}\n'" | awk '{n += $1} END {print n}'; }

megabytes() { echo "$(($1 * 1024 / 1000000)) MB"; }

since() { echo $(($(date +%s) - $1)); }

mount --make-rprivate /
proxy=$(apt-config shell p Acquire::http::Proxy | sed "s/^p='\(.*\)'$/\1/")
export http_proxy="${http_proxy:-$proxy}"
start=$(date +%s)
if ! debootstrap --variant=minbase "$suite" "$root" "$(mirror)" >"$log" 2>&1; then
  tail -n 5 "$log"
  echo "debian: $suite skipped: debootstrap cannot download from the mirror"
  skipped=1
  summary
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp /etc/hosts /etc/resolv.conf "$root/etc" 2>/dev/null
apt-config dump | grep -E '^Acquire::(http|https|Check-[a-zA-Z-]*|Retries)(::[^ ]*)? "[^"]' \
  >"$root/etc/apt/apt.conf.d/90machine"
case $(mirror) in
  https:*) mkdir -p "$root/etc/ssl/certs" && cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs" ;;
esac
mkdir -p "$root$tree"
git ls-files -z | tar -c --null -T - 2>/dev/null | tar -x -C "$root$tree"
if [ -d "$data" ]; then
  mkdir "$root/mnist"
  mount --bind "$data" "$root/mnist" && mount -o remount,ro,bind "$root/mnist" && MNIST=1
fi
here "apt-get -qq update && apt-get -qq install -y make && apt-get clean" >"$log" 2>&1 || cat "$log"
before=$(installed)
echo "debian: a fresh $suite, from the mirror in $(since "$start") s"

start=$(date +%s)
(here "make deps demo" >"$log" 2>&1; echo $? >"$log.status"; times >"$log.times")
status=$(cat "$log.status")
processor=$(awk -F '[ms ]+' 'NR == 2 {printf "%.0f", $1 * 60 + $2 + $3 * 60 + $4}' "$log.times")
cat "$log"
lines=$(wc -l <"$log") took=$(($(installed) - before))
echo "debian: make deps demo: $(since "$start") s, of the processor's $processor; $lines lines;" \
  "$(megabytes $took) installed"
echo "debian: in that time apt-get has $(sed -n 's/^Fetched/fetched/p' "$root$tree/build/deps.log" | paste -sd ' ')"
check "make deps demo" [ $status -eq 0 ]
check "make deps demo prints less than 100 lines" [ "$lines" -lt 100 ]
check "make deps installs less than 300 MB" [ $took -lt 293000 ]
check "no package is kept" here '! ls /var/cache/apt/archives/*.deb 2>/dev/null'

# The loss equals README's, up to the rounding of another compiler.
near='{d = $1 - $2; exit !(d * d < 1e-6)}'
loss=$(sed -n 's/^deep: .*test loss \([0-9.]*\),.*/\1/p' "$log")
known=$(sed -n 's/^deep: .*test loss \([0-9.]*\),.*/\1/p' README.md)
[ -z "${MNIST:-}" ] || check "the test loss is README's: $loss, not $known" sh -c "echo '$loss $known' | awk '$near'"

here "make deps-dev test SPEC=" >"$log" 2>&1
status=$?
grep -vE '^(CC|CXX|AR|LD) ' "$log"
add "$log"
echo "debian: make deps-dev test: $(megabytes $(($(installed) - before))) installed"
check "make deps-dev test" [ $status -eq 0 ]

# The rock is installed with the command of lua/doc/install.md.
rock=$(sed -n 's/^\(luarocks [^#]*[^# ]\) *#.*/\1/p' lua/doc/install.md)
here "$rock" >"$log" 2>&1 || cat "$log"
check "$rock" [ "$(here "cd / && lua5.4 -e 'print(require(\"moonglass\").info().version)'")" = \
  "$(sed -n 's/^#define MOON_VERSION "\(.*\)"/\1/p' csrc/moonglass.h)" ]
summary
