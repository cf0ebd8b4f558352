#!/bin/sh
# Download MNIST's four files into data/mnist, unpack them, and check their SHA-256 sums. Files that are there and right
# are kept, so running it again costs nothing. See README.md in this folder.
set -u

usage() {
  cat <<'EOF'
usage: fetch.sh [--mirror URL]... [FOLDER]
  --mirror URL  the folder of the four .gz files, instead of the public mirrors; file:///... works too
  FOLDER        where the files go (default: mnist beside this script)
EOF
}

fail() {
  echo "fetch.sh: $1" >&2
  exit "${2:-1}"
}

# ---- options ----

folder=
mirrors=
while [ $# -gt 0 ]; do
  case $1 in
    --mirror)
      [ $# -ge 2 ] || fail "--mirror needs a URL" 2
      mirrors="$mirrors ${2%/}"
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; fail "unknown option $1" 2 ;;
    *) [ -z "$folder" ] || fail "more than one folder: $folder and $1" 2; folder=$1 ;;
  esac
  shift
done
[ -n "$folder" ] || folder=$(dirname "$0")/mnist
[ -n "$mirrors" ] ||
  mirrors="https://storage.googleapis.com/cvdf-datasets/mnist https://ossci-datasets.s3.amazonaws.com/mnist"

# ---- tools ----

if command -v curl >/dev/null; then
  download() { curl --fail --silent --show-error --location --connect-timeout 20 --retry 2 --output "$2" "$1"; }
elif command -v wget >/dev/null; then
  download() { wget --quiet --timeout=20 --tries=2 --output-document="$2" "$1"; }
else
  fail "there is neither curl nor wget"
fi

if command -v sha256sum >/dev/null; then
  sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }
elif command -v shasum >/dev/null; then
  sum_of() { shasum -a 256 <"$1" | cut -d ' ' -f 1; }
else
  fail "there is neither sha256sum nor shasum"
fi

# ---- fetching ----

temporary=
trap '[ -z "$temporary" ] || rm -rf "$temporary"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A temporary folder beside the destination, so that mv is a rename.
make_temporary() {
  mkdir -p "$folder" || fail "cannot make the folder $folder"
  temporary=$(mktemp -d "$folder/.fetch.XXXXXX") || fail "cannot write in the folder $folder"
}

# fetch <name> <sum>: download, unpack and check in the temporary folder; only a right file is moved to its place.
fetch() {
  if [ -f "$folder/$1" ] && [ "$(sum_of "$folder/$1")" = "$2" ]; then
    echo "$1: there already"
    return 0
  fi
  [ -n "$temporary" ] || make_temporary
  for mirror in $mirrors; do
    if ! download "$mirror/$1.gz" "$temporary/$1.gz"; then
      echo "$1: not from $mirror" >&2
    elif ! gunzip -c "$temporary/$1.gz" >"$temporary/$1" 2>/dev/null; then
      echo "$1: the file from $mirror is not a gzip file" >&2
    elif [ "$(sum_of "$temporary/$1")" != "$2" ]; then
      echo "$1: the file from $mirror has the wrong SHA-256 sum, expected $2" >&2
    else
      mv "$temporary/$1" "$folder/$1" || fail "cannot write $folder/$1"
      echo "$1: from $mirror"
      return 0
    fi
  done
  fail "no mirror gave $1. Without the network, the scripts take Fashion-MNIST from Debian's package
dataset-fashion-mnist, or the four files from a folder of yours: --data FOLDER or MOONGLASS_DATA=FOLDER."
}

fetch train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
fetch train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
fetch t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
fetch t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
echo "MNIST is in $folder"
