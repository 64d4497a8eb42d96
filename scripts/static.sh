#!/bin/sh
# Builds the program so that it needs no file of the system it runs on, as the image does, and fails when it does need one:
# scripts/static.sh [OUTPUT]. PROFILE=dev builds faster.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
profile=${PROFILE:-release}
# Spelt out, so that build scripts and macros, which the compiler loads, are not static.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile "$profile" --bin credence --target "$host"
[ "$profile" = dev ] && profile=debug
program=${CARGO_TARGET_DIR:-target}/$host/$profile/credence
ldd "$program" 2>&1 | grep -q -e 'statically linked' -e 'not a dynamic executable' || {
    echo "scripts/static.sh: $program still needs:" >&2
    ldd "$program" >&2
    exit 1
}
"$program" version
[ $# -eq 0 ] || cp "$program" "$1"
