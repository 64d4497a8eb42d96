#!/bin/sh
# Runs cargo test with the given arguments and ends with one line that sums all test binaries.
# The exit code is that of cargo test.
set -u

output=$(mktemp)
status=$(mktemp)
trap 'rm -f "$output" "$status"' EXIT

{ cargo test --no-fail-fast "$@" 2>&1; echo $? >"$status"; } | tee "$output"

awk '/^test result: / {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/) failed += $(i - 1)
            if ($i ~ /^ignored/) ignored += $(i - 1)
        }
    }
    END {
        printf "\n%d passed, %d failed", passed, failed
        if (ignored) printf ", %d skipped", ignored
        print ""
    }' "$output"
exit "$(cat "$status")"
