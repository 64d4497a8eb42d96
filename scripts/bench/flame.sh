#!/bin/sh
# Draws where the time goes while tokens that were verified before are judged: OUT (docs/performance-flame.svg) by perf and
# inferno. Needs Linux, `perf`, and what `make bench` needs; inferno is brought to .tools.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-docs/performance-flame.svg}
command -v perf >/dev/null || { echo "perf is not on this machine: install it (Debian: linux-perf)" >&2; exit 1; }
[ -x .tools/bin/inferno-flamegraph ] ||
  cargo install inferno --version 0.12.8 --locked --root .tools --no-default-features --features cli --quiet
cargo bench --bench load --no-run --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo bench --bench load --quiet -- --rows seen --rounds 1 --seconds 8 --out "$work" >"$work/bench.out" 2>&1 &
bench=$!
# The measured server is the one with workers; the bench starts it within a few seconds.
server=
tries=0
until [ -n "$server" ] || [ "$tries" -ge 150 ]; do
  sleep 0.2
  tries=$((tries + 1))
  for pid in $(pgrep -f "target/release/credence serve" || true); do
    if grep -qs '^worker-0$' "/proc/$pid/task"/*/comm; then server=$pid; fi
  done
done
[ -n "$server" ] || { cat "$work/bench.out" >&2; echo "no server appeared" >&2; exit 1; }
perf record -e cpu-clock -F 999 --call-graph dwarf,16384 -o "$work/perf.data" -p "$server" -- sleep 60 >/dev/null 2>&1 || true
wait "$bench" || true
perf script -i "$work/perf.data" --no-inline 2>/dev/null | .tools/bin/inferno-collapse-perf >"$work/folded"
grep -E '^(worker|decision-log)' "$work/folded" |
  .tools/bin/inferno-flamegraph --title "credence: tokens that were verified before" --minwidth 0.3 >"$out"
echo "written: $out"
