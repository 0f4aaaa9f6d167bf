#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# RESOLVE and RESOLVE_PTR, Tor's extensions, which look up names and addresses under the access
# rules.

load helper
load net/world

prelude <<'PY'
import socket

from dns import Dnsmasq, Server
from socks import CHOSEN, GREETING, check, request, request_name
from world import Handler, ip, listeners, port_of, write

RESOLVE, RESOLVE_PTR = 0xF0, 0xF1
SERVED = "-o", "command connect resolve"


def ask(host, *options, command=RESOLVE, served=SERVED, port=0, **fields):
    """Send a request, and check the record. Returns the reply code, or the address or name if it is
    0."""
    h = Handler(*served, *options, rules=())
    encode = request_name if isinstance(host, bytes) else request
    h.client.send(GREETING + encode(host, port, command))
    check(h.client.recv(2), CHOSEN)
    reply = h.client.recv(4)
    size = {1: 4, 4: 16}.get(reply[3]) or h.client.recv(1)[0]
    found = h.client.recv(size)
    check(h.client.recv(2), b"\0\0")  # the port
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    record = h.ended(**{"REPLY": str(reply[1]), "CLOSED_BY": "stdsocks",
                        "BYTES_DOWN": None if reply[1] else "0", **fields})
    check(record["STDSOCKS_COMMAND"], {RESOLVE: "RESOLVE", RESOLVE_PTR: "RESOLVE_PTR"}[command])
    if reply[1]:
        return reply[1]
    if reply[3] == 3:
        return found.decode()
    return socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[reply[3]], found)
PY

setup() {
    need_world
    need dnsmasq
}

@test "resolve: RESOLVE returns the IPv4 or IPv6 address of a name, and an address unchanged" {
    world <<'PY'
server = Dnsmasq(hosts=["10.1.2.3 four.test", "2001:db8::7 six.test"])
anywhere = "-o", "allow to any"
check(ask(b"four.test", *anywhere, END="closed", REACHED="10.1.2.3"), "10.1.2.3")
check(ask(b"six.test", *anywhere, END="closed", REACHED="2001:db8::7"), "2001:db8::7")
check(server.queries(), sorted(f"{kind} {name}.test" for kind in ("A", "AAAA")
                             for name in ("four", "six")))
check(ask("192.0.2.1", *anywhere), "192.0.2.1")
check(ask(b"192.0.2.1", *anywhere), "192.0.2.1")
check(ask("2001:db8::1", *anywhere), "2001:db8::1")
check(len(server.queries()), 4)
PY
}

@test "resolve: RESOLVE_PTR returns the name of an address, and 04 if it has none" {
    world <<'PY'
Dnsmasq("--bogus-priv", hosts=["10.1.2.3 four.test", "2001:db8::7 six.test"])
anywhere = "-o", "allow to any"
check(ask("10.1.2.3", *anywhere, command=RESOLVE_PTR, END="closed", REACHED=None), "four.test")
check(ask("2001:db8::7", *anywhere, command=RESOLVE_PTR), "six.test")
check(ask("10.9.9.9", *anywhere, command=RESOLVE_PTR, END="refused"), 4)
check(ask(b"four.test", *anywhere, command=RESOLVE_PTR, END="refused"), 8)
check(ask(b"no.test", *anywhere, END="refused"), 4)
check(ask(b"127.1", *anywhere, END="refused"), 4)
PY
}

@test "resolve: a name or address that the rules deny gets reply 02" {
    world <<'PY'
server = Dnsmasq(hosts=["10.1.2.3 four.test", "8.8.8.8 public.test", "10.1.2.3 both.test",
                        "8.8.4.4 both.test"])
check(ask(b"four.test", END="refused"), 2)  # the built-in rules allow only public addresses
check(ask(b"public.test"), "8.8.8.8")
check(ask(b"both.test"), "8.8.4.4")
check(ask("10.1.2.3", END="refused"), 2)
check(ask("10.1.2.3", command=RESOLVE_PTR, END="refused"), 2)
count = len(server.queries())
check(ask(b"four.test", "-o", "allow command connect to any", END="refused",
          RULE="end of the rules"), 2)
check(len(server.queries()), count)  # no query if the rules deny the name for every address
check(ask(b"four.test", "-o", "allow command resolve to any"), "10.1.2.3")
check(ask("10.1.2.3", "-o", "allow command resolve to any", command=RESOLVE_PTR), "four.test")
# The port of the request has no meaning, and no rule with "port" matches.
check(ask("8.8.8.8", "-o", "allow to any port 443", port=443, END="refused",
          RULE="end of the rules"), 2)
check(ask("8.8.8.8", "-o", "deny port 443", "-o", "allow to any", port=443), "8.8.8.8")
check(ask("8.8.8.8", port=25), "8.8.8.8")
PY
}

@test "resolve: the rules are evaluated for the embedded address of an IPv4-mapped one" {
    world <<'PY'
Dnsmasq("--bogus-priv", hosts=["10.1.2.3 four.test", "::ffff:10.1.2.3 mapped.test"])
rules = "-o", "allow to 10.0.0.0/8", "-o", "allow to mapped.test at 10.0.0.0/8"
for host in "::ffff:10.1.2.3", b"::ffff:10.1.2.3", b"mapped.test":
    check(ask(host, *rules, REACHED="::ffff:a01:203"), "::ffff:10.1.2.3")
    check(ask(host, REPLY="2", END="refused"), 2)
for host in "::ffff:10.1.2.3", b"::ffff:10.1.2.3":
    check(ask(host, *rules, command=RESOLVE_PTR, REACHED=None), "four.test")
    check(ask(host, command=RESOLVE_PTR, END="refused"), 2)
PY
}

@test "resolve: the first address is one that the host can reach from the configured source" {
    world <<'PY'
Dnsmasq(hosts=["127.0.0.1 four.test", "2001:db8::7 four.test",  # there is no route to it
               "192.0.2.1 six.test", "::1 six.test", "127.0.0.1 both.test", "::1 both.test"])
for *source, best in [
    ("::1",), ("device lo", "::1"), ("mark 7", "::1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"),
    ("127.0.0.1", "::1", "::1"),
]:
    options = [word for one in source for word in ("-o", f"source {one}")]
    for name, found in (b"four.test", "127.0.0.1"), (b"six.test", "::1"), (b"both.test", best):
        if name == b"four.test" and source == ["::1"]:
            continue  # it has neither a usable family nor a route
        check((source, ask(name, "-o", "allow to any", *options)), (source, found))
PY
}

@test "resolve: version 4 gets the first allowed IPv4 address behind any number of IPv6 ones" {
    world <<'PY'
from bind import request4


def ask4(host, reply, answer=None, *options, command=RESOLVE, **fields):
    h = Handler(*SERVED, "-o", "version 4 5", *options, rules=())
    h.client.send(request4(host, command=command))
    expected = b"\0\x5b" + bytes(6) if reply else b"\0\x5a\0\0" + socket.inet_aton(answer)
    check(h.client.end(), (expected, "fin"))
    h.client.close()
    h.ended(**{"REPLY": str(reply), "REACHED": answer, "RULE": None, **fields})


ip("address add 2001:db8::1/64 dev lo nodad")
six = "".join(f"2001:db8::{n} many.test\n" for n in range(1, 41)) + "2001:db8::1 six.test\n"
write("/etc/hosts", six + "127.0.0.7 many.test\n127.0.0.8 many.test\n")
anywhere = "-o", "allow to any"
check(ask(b"many.test", *anywhere)[:10], "2001:db8::")  # IPv6 addresses come first
check(ask(b"many.test", "-o", "allow to many.test at 127.0.0.8"), "127.0.0.8")
ask4(b"many.test", 0, "127.0.0.7", *anywhere)
ask4(b"many.test", 0, "127.0.0.8", "-o", "allow to many.test at 2001:db8::/64,127.0.0.8")
ask4("127.0.0.9", 0, "127.0.0.9", *anywhere)
# If no address is allowed, the record has the reason for the addresses that fit a lookup's result.
ask4(b"many.test", 2, None, "-o", "allow to many.test at 2001:db8::/64", RULE="end of the rules",
     REMEDY="allow from 127.0.0.1 command resolve to many.test at 127.0.0.8")
ask4(b"six.test", 8, None, *anywhere)
ask4(b"six.test", 8, None, "-o", "allow to six.test at 127.0.0.1")
ask4(b"2001:db8::1", 8, None, "-o", "deny to any")
ask4("127.0.0.7", 8, None, *anywhere, command=RESOLVE_PTR)
PY
}

@test "resolve: reply 07 unless the command is configured, and 07 for CONNECT if it is not" {
    world <<'PY'
Dnsmasq(hosts=["10.1.2.3 four.test"])
for served in (), ("-o", "command connect"):
    for command in RESOLVE, RESOLVE_PTR:
        check(ask("10.1.2.3", "-o", "allow to any", command=command, served=served, END="refused"),
              7)
(listening,) = listeners("127.0.0.1")
h = Handler("-o", "command resolve")
check(h.connect("127.0.0.1", port_of(listening)), 7)
h.refused(COMMAND="CONNECT")
PY
}

@test "resolve: reply 04 at the handshake timeout if the name server does not answer" {
    world <<'PY'
Server({})
check(ask(b"four.test", "-o", "timeout handshake 300ms", "-o", "allow to any", END="refused"), 4)
check(ask("10.1.2.3", "-o", "timeout handshake 300ms", "-o", "allow to any", command=RESOLVE_PTR,
          END="refused"), 4)
PY
}
