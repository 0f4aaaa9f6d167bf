#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Runs the unit tests: a program for each source file, linked with the handler's objects.

load helper

export BATS_TEST_TIMEOUT=300 # of all programs together

@test "unit: every program of tests/unit passes" {
    local source name failed=()
    local -A arguments=([messages]=tests/vectors/messages.txt [syscalls]=programs)
    cd "$ROOT"
    for source in tests/unit/*.c; do
        name=$(basename "$source" .c)
        # shellcheck disable=SC2086 # zero words or one
        timeout 60 "${UNITS:-build/unit}/$name" ${arguments[$name]:-} ||
            failed+=("$name: status $?")
    done
    ((${#failed[@]} == 0)) || fail "${failed[@]}"
}
