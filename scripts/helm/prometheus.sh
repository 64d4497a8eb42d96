#!/bin/sh
# Builds the Prometheus server and promtool from the Go module proxy into .tools/prometheus and prints that directory. The
# server has no pages to look at (they are not part of the module) and is told its targets only: the tests ask its API.
. "$(dirname -- "$0")/../common.sh"
# The module of Prometheus 3.X.Y is called v0.3XX.Y, X in two digits.
tool prometheus 0.313.5
need go "Prometheus is built from its Go module"
begin "8 minutes"

module=github.com/prometheus/prometheus
printf 'module interop.test/prometheus\n' >"$build/go.mod"
mod=$(cd "$build" && GOFLAGS=-mod=mod go list -m -f '{{.GoMod}}' "$module@v$version" 2>>"$home/setup.log") ||
    fail "the Go module proxy does not serve $module@v$version: $(tail -n 3 "$home/setup.log")"
{
    echo "module interop.test/prometheus"
    grep -E '^(go|godebug) ' "$mod"
    echo "require $module v$version"
} >"$build/go.mod"

CGO_ENABLED=0
export CGO_ENABLED
# Without the clients of twenty clouds.
tags=remove_all_sd
go_build prometheus "$module/cmd/prometheus"
logged "$home/bin/prometheus" --version
go_build promtool "$module/cmd/promtool"
logged "$home/bin/promtool" --version
finish
