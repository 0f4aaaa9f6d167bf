#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The pure rooms, each file by a program of its own that is linked with the handler's objects.

load helper

# unit NAME [ARGUMENT]... - run tests/unit/NAME.c, which make check has built; $UNITS says where.
unit() {
    local program=${UNITS:-$ROOT/build/unit}/$1
    [[ -x $program ]] || fail "missing: $program, which make check builds"
    cd "$ROOT" || return
    timeout 60 "$program" "${@:2}"
}

@test "wire/reader: bytes come in order, and none once too few are left" {
    unit reader
}

@test "wire/writer: what is put is there whole or not at all, and harmless" {
    unit writer
}

@test "text/amount: where each unit begins, and that what is written is read" {
    unit amount
}

@test "stdsocks/target: destinations are found again, and of too many the one unused for longest goes" {
    unit target
}

@test "wire/addr: host names, literals and how they are written [RFC 1035 2.3.4, 1123 2.1, 5952 4]" {
    unit addr
}

@test "wire/socks5, wire/socks4: each message and the header of datagrams, cut anywhere and with anything behind it [RFC 1928, 1929]" {
    unit messages tests/vectors/messages.txt
}

@test "text/annotate: each message as hex text, and never a password" {
    unit annotate
}

@test "text/hex: the grammar of hex text, and line and column of each mistake" {
    unit hex
}

@test "policy/config: each keyword and its range, and nothing changed by a mistake" {
    unit config
}

@test "text/words: blanks, quotes, comments and the limits of a line" {
    unit words
}

@test "policy/special: every row of the registries, its edges, and what lies inside [RFC 6890, 6052]" {
    unit special
}

@test "policy/rule: every clause, every mistake, and what is not known yet" {
    unit rule
}

@test "policy/rules: as a slow and obvious model of it, for rules and questions by the thousand" {
    unit rules
}

@test "policy/users: one name, one secret, and nothing near them [RFC 1929 2]" {
    unit users
}

@test "stdsocks/session: every command that can be configured is served, in a stage of the lock" {
    unit session
}

@test "sandbox/sandbox: what each stage forbids, tried one by one" {
    unit sandbox
}

@test "net/dial: families take turns [RFC 8305 4]" {
    unit dial
}

@test "record/record: one line and one value a field, whatever a client sent" {
    unit record
}

@test "record/status: every part of the line at its edges, and harmless whatever a client sent" {
    unit status
}

@test "stdsocksctl/filter: how a connection's texts become what a rule asks" {
    unit filter
}

@test "stdsocksctl/instance: who called, by a unit's name, and what a handler says" {
    unit instance
}

@test "unit: every program is run by a suite" {
    local source
    for source in "$ROOT"/tests/unit/*.c; do
        source=${source##*/}
        grep -qE "(^    unit |/unit}/)${source%.c}( |$)" "$ROOT"/tests/*.bats || fail "${source%.c} is not run"
    done
}

@test "stdsocksctl/top_k: of a hundred thousand keys the frequent ones are kept, and the error has a bound" {
    unit top_k
}

@test "stdsocksctl/histogram: each value is read to 1/128, and ranks fall where they should" {
    unit histogram
}
