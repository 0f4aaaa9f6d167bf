#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# System calls and page faults of a connection, which do not depend on the machine.

load helper

# count NAME [OPTION]... - print a count of build/tests/bench/count for an IPv4 request.
count() {
    "$BUILT/bench/count" "$STDSOCKS" -o 'allow to any' "${@:2}" | sed -n "s/^$1 //p"
}

setup() {
    is_static || skip "the limits are for the static build"
}

@test "cost: makes at most 48 system calls from exec to the reply" {
    local calls
    calls=$(count syscalls)
    echo "$calls system calls"
    ((calls > 10 && calls <= 48))
}

@test "cost: makes one more system call if several commands are configured" {
    local calls more
    calls=$(count syscalls)
    more=$(count syscalls -o 'command connect resolve')
    echo "$calls and $more system calls"
    ((calls > 10 && more == calls + 1))
}

@test "cost: has at most 25 minor faults from exec to the reply" {
    local faults
    faults=$(count minor_faults)
    echo "$faults minor faults"
    ((faults > 5 && faults <= 25))
}

@test "cost: makes at most 14 system calls from the reply until the relay waits" {
    local calls
    calls=$(count relay_syscalls)
    echo "$calls system calls"
    ((calls > 5 && calls <= 14))
}
