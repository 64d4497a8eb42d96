#!/bin/sh
# Brings the certified OpenID provider from npm into .tools/oidc-provider and prints that directory.
# Without node this prints the reason and succeeds, except in CI.
set -eu

version=9.13.3
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
home=$root/.tools/oidc-provider
stamp=$home/.version

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ]; then
    echo "$home"
    exit 0
fi

missing() {
    echo "scripts/oidc-provider.sh: $1" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}
command -v node >/dev/null 2>&1 || missing "no node here: tokens of an issuer that is not ours cannot be tried"
command -v npm >/dev/null 2>&1 || missing "no npm here: tokens of an issuer that is not ours cannot be tried"

echo "bringing oidc-provider $version into .tools/oidc-provider (once)" >&2
rm -rf "$home"
mkdir -p "$home"
if ! npm install --prefix "$home" --no-audit --no-fund --loglevel=error "oidc-provider@$version" >"$home/setup.log" 2>&1; then
    cat "$home/setup.log" >&2
    missing "npm could not install oidc-provider@$version"
fi
echo "$version" >"$stamp"
echo "$home"
