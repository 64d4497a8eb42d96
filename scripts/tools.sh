#!/bin/sh
# Sees to it that `cargo deny` can be called. When the machine has none, it is built into .tools (once).
set -eu

version=0.20.2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

if PATH="$root/.tools/bin:$PATH" cargo deny --version >/dev/null 2>&1; then
    exit 0
fi
echo "building cargo-deny $version into .tools (once, takes some minutes)" >&2
cargo install --locked --quiet --root "$root/.tools" --target-dir "$root/.tools/target" "cargo-deny@$version"
rm -rf "$root/.tools/target"
