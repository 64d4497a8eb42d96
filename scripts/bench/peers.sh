#!/bin/sh
# Brings the other authorizers of `make bench-peers` into .tools/bin, as far as this machine can, and says which are left out.
#
# OPA-Envoy comes from the Go module proxy or, where that has none, from the git directory or address in OPA_ENVOY_GIT.
# Authorino and Oathkeeper come from AUTHORINO_GIT and OATHKEEPER_GIT alone. A program of the same name on the path will do
# as well. A peer that cannot be had is no error: its rows say that it was left out.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
tools=$root/.tools
mkdir -p "$tools/bin" "$tools/peers"

# left_out NAME REASON
left_out() {
    echo "scripts/bench/peers.sh: $1 is left out: $2" >&2
}

# from_proxy NAME PACKAGE VERSION
from_proxy() {
    GOBIN=$tools/bin go install "$2@$3" >"$tools/peers/$1.log" 2>&1
}

# from_git NAME DIRECTORY REF PACKAGE
from_git() {
    source=$tools/peers/$1
    rm -rf "$source"
    {
        git clone --quiet "$2" "$source" &&
            git -C "$source" -c advice.detachedHead=false checkout --quiet "$3" &&
            (cd "$source" && CGO_ENABLED=0 go build -mod=mod -buildvcs=false -ldflags '-s -w' -o "$tools/bin/$1" "$4")
    } >>"$tools/peers/$1.log" 2>&1
    built=$?
    rm -rf "$source"
    return $built
}

# peer NAME VERSION PACKAGE PROXY-MODULE GIT GIT-VARIABLE
peer() {
    name=$1 version=$2 package=$3 module=$4 git=$5 variable=$6
    stamp=$tools/peers/$name.version
    if [ -x "$tools/bin/$name" ]; then
        [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && return
        # Somebody has put it there: then it is the one they want.
        [ -f "$stamp" ] || return
    elif command -v "$name" >/dev/null 2>&1; then
        return
    fi
    if ! command -v go >/dev/null 2>&1; then
        left_out "$name" "there is no go to build it with"
        return
    fi
    if [ -z "$module" ] && [ -z "$git" ]; then
        left_out "$name" "no program of this name on the path, and $variable names no git repository of it"
        return
    fi
    echo "building $name $version into .tools/bin (once, takes some minutes)" >&2
    : >"$tools/peers/$name.log"
    if { [ -n "$module" ] && from_proxy "$name" "$module/$package" "$version"; } ||
        { [ -n "$git" ] && from_git "$name" "$git" "$version" "./$package"; }; then
        echo "$version" >"$stamp"
        return
    fi
    tail -n 5 "$tools/peers/$name.log" >&2
    if [ -z "$git" ]; then
        left_out "$name" "the Go module proxy does not have it; $variable may name a git repository of it"
    else
        left_out "$name" "it could not be built, see .tools/peers/$name.log"
    fi
}

peer opa-envoy-plugin v1.19.1-envoy cmd/opa-envoy-plugin github.com/open-policy-agent/opa-envoy-plugin \
    "${OPA_ENVOY_GIT:-}" OPA_ENVOY_GIT
peer authorino v0.27.0 . '' "${AUTHORINO_GIT:-}" AUTHORINO_GIT
peer oathkeeper "${OATHKEEPER_REF:-v26.2.0}" . '' "${OATHKEEPER_GIT:-}" OATHKEEPER_GIT
exit 0
