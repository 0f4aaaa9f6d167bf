#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Names from real name servers, and compared with the resolver of glibc. tests/dns.bats has a server
# whose answers the tests choose.

load helper
load net/world

prelude <<'PY'
from differences import check_settings, check_situations
from servers import check_zone, dnsmasq, named, nsd, unbound
PY

setup() {
    need_world
}

@test "names: nsd, an authoritative server, gives all names of a zone their addresses" {
    need nsd
    world <<'PY'
nsd()
check_zone()
PY
}

@test "names: BIND, an authoritative server, gives all names of a zone their addresses" {
    need named
    world <<'PY'
named()
check_zone(may_fail=[f"link{i}.test" for i in range(12, 17)])  # it follows 11 CNAME records
PY
}

@test "names: unbound, a recursive server, gives all names of a zone their addresses" {
    need nsd unbound
    world <<'PY'
unbound()
check_zone()
PY
}

@test "names: dnsmasq, a forwarder, gives all names of a zone their addresses" {
    need dnsmasq nsd
    world <<'PY'
dnsmasq()
check_zone()
PY
}

@test "names: addresses are those of glibc with all settings, except for known differences" {
    need nsd
    world <<'PY'
check_settings()
PY
}

@test "names: addresses are those of glibc if servers fail, except for known differences" {
    world <<'PY'
check_situations()
PY
}
