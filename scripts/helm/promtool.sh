#!/bin/sh
# Finds promtool, or brings Debian's into .tools/promtool without installing anything, and prints its path.
. "$(dirname -- "$0")/../common.sh"
name=promtool
home=$root/.tools/promtool
program=$home/bin/promtool
if [ -x "$program" ] && "$program" --version >/dev/null 2>&1; then
    echo "$program"
    exit 0
fi
rm -rf "$home"
mkdir -p "$home/bin"
if found=$(command -v promtool); then
    ln -s "$found" "$program"
    echo "$program"
    exit 0
fi
need apt-get "promtool is in the Debian package prometheus; or install it yourself"
need dpkg "promtool is in the Debian package prometheus; or install it yourself"
echo "bringing promtool into .tools/promtool (once)" >&2
cd "$home"
# Lists of packages may be missing or old; only root can fetch new ones.
apt-get download prometheus >"$home/setup.log" 2>&1 ||
    { logged apt-get update && logged apt-get download prometheus; }
logged dpkg -x prometheus_*.deb "$home/system"
mv "$home/system/usr/bin/promtool" "$program"
rm -rf "$home/system" "$home"/prometheus_*.deb
logged "$program" --version
echo "$program"
