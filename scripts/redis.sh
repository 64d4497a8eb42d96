#!/bin/sh
# Finds a redis-server or valkey-server, or brings Debian's into .tools/redis without installing anything, and prints the
# path of a program that starts it. The tests of the shared replay store need one, so a machine without is a failure.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
home=$root/.tools/redis
program=$home/bin/redis-server

if [ -x "$program" ] && "$program" --version >/dev/null 2>&1; then
    echo "$program"
    exit 0
fi

rm -rf "$home"
mkdir -p "$home/bin"
for name in redis-server valkey-server; do
    if found=$(command -v "$name"); then
        ln -s "$found" "$program"
        echo "$program"
        exit 0
    fi
done

missing() {
    [ -f "$home/setup.log" ] && cat "$home/setup.log" >&2
    echo "scripts/redis.sh: $1: install redis-server or valkey-server, by whatever name your system has for it" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || missing "no redis-server here, and no apt-get to bring one"

echo "bringing redis-server into .tools/redis (once)" >&2
cd "$home"
packages="redis-server redis-tools libjemalloc2 liblzf1 libatomic1"
# Lists of packages may be missing or old; only root can fetch new ones.
# shellcheck disable=SC2086 # several words
apt-get download $packages >"$home/setup.log" 2>&1 ||
    { apt-get update >>"$home/setup.log" 2>&1 && apt-get download $packages >>"$home/setup.log" 2>&1; } ||
    missing "apt-get could not download redis-server"
for package in ./*.deb; do
    dpkg -x "$package" "$home/system" >>"$home/setup.log" 2>&1 || missing "$package cannot be unpacked"
    rm -f "$package"
done

cat >"$program" <<'SH'
#!/bin/sh
home=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for directory in "$home"/system/usr/lib/*-linux-*; do
    LD_LIBRARY_PATH=$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$home/system/usr/bin/redis-server" "$@"
SH
chmod +x "$program"
"$program" --version >>"$home/setup.log" 2>&1 || missing "the redis-server of this system does not run unpacked"
echo "$program"
