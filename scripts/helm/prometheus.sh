#!/bin/sh
# Builds the Prometheus server from the Go module proxy into .tools/prometheus and prints that directory. It has no pages to
# look at (they are not part of the module) and finds its targets in a file only: what the tests ask is its API.
. "$(dirname -- "$0")/../interop/common.sh"
# The module of Prometheus 3.X.Y is called v0.3XX.Y, X in two digits.
tool prometheus 0.313.5
need go "the Prometheus server is built from its Go module"
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
finish
