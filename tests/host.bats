#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Addresses of this host, whatever their numbers, are loopback addresses for the access rules, and
# broadcast addresses of its networks are in no class. tests/unit/rules.c has the evaluation of the
# rules for each kind of route; this suite has the routes.

load helper
load net/world

prelude <<'PY'
import collections, ctypes, errno, socket, struct, subprocess

from datagrams import Datagrams, UDP_ASSOCIATE, at, parse_address, silent, udp
from dns import Server
from prefork import Prefork, children
from rules import asks, configured, from_ip, from_pair, here, is_denied, is_served, lines
from socks import CHOSEN, GREETING, check, listener, passes, request, request_name
from udp import Association, queries
from world import STDSOCKS, connection, eventually, ip, is_waiting, listeners, network_of, port_of
from world import libc, run, sys_call, sysctl, there

RESOLVE, RESOLVE_PTR = 0xF0, 0xF1


def udp_there(host):
    """A UDP socket of another host."""
    with network_of(host):
        return udp(host)


def association(*rules, **popen):
    return Association("-f", "/dev/null", *lines(*rules), rules=(), ends=from_pair(), **popen)


def datagrams_through(p):
    """Returns an association with a service in prefork mode."""
    d = Datagrams()
    d.client = p.client()
    d.client.send(GREETING + request("0.0.0.0", 0, UDP_ASSOCIATE))
    check(d.client.recv(5), CHOSEN + b"\x05\0\0")
    d.sock, d.relay = udp(), parse_address(d.client.recv(7))[:2]
    return d


def netlink(pid):
    """Whether a netlink socket exists that the process has opened."""
    with open("/proc/thread-self/net/netlink", encoding="ascii") as rows:
        return any(row.split()[2] == str(pid) for row in list(rows)[1:])


def looked_up(host, *rules, command=RESOLVE):
    """The reply code to RESOLVE or RESOLVE_PTR."""
    h = configured("command resolve", *rules)
    message = request_name(host, 0) if isinstance(host, bytes) else request(host, 0)
    h.client.send(GREETING + message[:1] + bytes([command]) + message[2:])
    check(h.client.recv(2), CHOSEN)
    reply = h.client.recv(2)[1]
    h.client.end()
    h.close_client()
    return reply


def explained(question, *rules):
    return run(STDSOCKS, "-f", "/dev/null", *lines(*rules), "--explain", question).splitlines()
PY

setup() {
    need_world
}

@test "host: the built-in rules deny each address of this host, and names at them" {
    world <<'PY'
own = ["8.8.4.4", "10.0.0.5", "10.0.0.6", "192.0.2.5", "169.254.7.7", "2606:4700::1", "fc00::1",
       "2001:db8::5"]
there("8.8.8.8")
here(*own)
# An address of another interface than lo, and addresses that are local by a route.
ip("address add 9.9.9.9/24 dev near", "address add 9.9.9.10/24 dev near",
   "address add 2001:db9::1/64 dev near nodad", "route add local 11.0.0.0/16 dev lo",
   "route add local 2001:dba::/32 dev lo")
# A router also has the anycast address of each of its networks (RFC 4291 s2.6.1).
sysctl("ipv6/conf/near/forwarding", "1")
eventually(lambda: "anycast 2001:db9::" in run("ip", "-6", "route", "show", "table", "local"),
           "an anycast address")
own += ["9.9.9.9", "9.9.9.10", "2001:db9::1", "2001:db9::", "11.0.7.8", "2001:dba::7:8"]
Server({f"n{i}.test": [host] for i, host in enumerate(own)})
(four, far) = listeners("0.0.0.0", "8.8.8.8")
six = socket.create_server(("::", port_of(four)), family=socket.AF_INET6)
# For a private address, the number is the reason, and the kernel is not asked.
private = [host for host in own if host.startswith(("10.", "169.", "192.", "fc", "2001:db8:"))]
for i, host in enumerate(own):
    at_loopback = "" if host in private else " at loopback"
    is_denied(host if i % 2 else host.encode(), four, rule="built-in 4",
              suggestion=f"allow from unix to {host}{at_loopback} port {port_of(four)}")
    where = host if host in private else "loopback"
    is_denied(f"n{i}.test".encode(), four, rule="built-in 4",
              suggestion=f"allow from unix to n{i}.test at {where} port {port_of(four)}")
assert not is_waiting(four) and not is_waiting(six)
is_served("8.8.8.8", far, reached="8.8.8.8")
h = configured()
check(h.connect("8.8.4.4", port_of(four)), 2)
h.close_client()
assert "by ruleset (the destination is an address of this host) by built-in 4" in h.log_text()
PY
}

@test "host: an address that embeds one of this host is denied, and one of this host that embeds" {
    world <<'PY'
here("8.8.4.4", "10.0.0.5", "2002:808:808::1", "64:ff9b::808:808", "2606:4700::5efe:808:808")
there("2002:808:404::7", "64:ff9b::808:404", "64:ff9b:1::808:404", "2001::f7f7:fbfb",
      "2606:4700::5efe:808:404", "2002:a00:5::7", "2002:808:806::1")
embedding = ["2002:808:404::7", "64:ff9b::808:404", "64:ff9b:1::808:404", "2001::f7f7:fbfb",
             "2606:4700::5efe:808:404"]
for host in *embedding, "2002:808:808::1", "64:ff9b::808:808", "2606:4700::5efe:808:808":
    is_denied(host, 80, rule="built-in 4")
    is_denied(host, 80, "allow to public,private,link-local", rule="end of the rules")
is_denied("2002:a00:5::7", 80, "allow to private", rule="end of the rules")
# A prefix of the address around the embedded one allows only public embedded addresses.
is_denied("2002:808:404::7", 80, "allow to 2002::/16", rule="end of the rules")
(listening,) = listeners("2002:808:806::1")
is_served("2002:808:806::1", listening)
is_served("2002:808:806::1", listening, "allow to 2002::/16")
(listening,) = listeners("2002:808:404::7")
is_served("2002:808:404::7", listening, "allow to loopback")
PY
}

@test "host: \"to loopback\", \"at loopback\" and the suggested rule open it, no other class does" {
    world <<'PY'
here("8.8.4.4", "10.0.0.5", "169.254.7.7", "fc00::5")
there("8.8.8.8", "10.0.0.1")
names = {"public.test": "8.8.4.4", "private.test": "10.0.0.5", "far.test": "8.8.8.8"}
Server({name: [host] for name, host in names.items()})
(own,) = listeners("0.0.0.0")
(six, far, private) = listeners("fc00::5", "8.8.8.8", "10.0.0.1", port=port_of(own))
others = "allow to public,private,link-local"
for host in "8.8.4.4", "169.254.7.7", "fc00::5", b"public.test", b"private.test":
    record = is_denied(host, own, others, rule="end of the rules")
    for rules in ["allow to loopback"], ["deny to public,private", "allow to loopback"], \
            ["allow to any at loopback"], [record["REMEDY"]]:
        is_served(host, own, *rules)
    is_denied(host, own, "deny to loopback", "allow to any", rule="-o")
is_denied(b"public.test", own, "allow to .test", rule="end of the rules")
is_denied(b"private.test", own, "allow to .test at private", rule="end of the rules")
is_served(b"private.test", own, "allow to .test at loopback")
is_denied(b"far.test", far, "allow to .test at loopback", rule="end of the rules")
is_denied("8.8.8.8", far, "allow to loopback", rule="end of the rules")
is_served(b"far.test", far, "deny to loopback", "allow to .test")
is_served("10.0.0.1", private, others)
# A prefix matches by the number alone.
is_served("10.0.0.5", own, "allow to 10.0.0.0/8")
is_denied("10.0.0.5", own, "deny to loopback", "allow to 10.0.0.0/8", rule="-o")
PY
}

@test "host: broadcast addresses of its networks are denied" {
    world <<'PY'
ip("address add 8.8.4.4/24 brd + dev lo", "address add 10.0.0.5/24 brd + dev lo")
there("8.8.5.255")
for host in "8.8.4.255", "10.0.0.255":
    is_denied(host, 80, rule="built-in 4")
    is_denied(host, 80, "allow to public,private,loopback", rule="end of the rules")
h = configured()
check(h.connect("8.8.4.255", 80), 2)
h.close_client()
assert "(the destination is a broadcast address) by built-in 4" in h.log_text(), h.log_text()
(listening,) = listeners("8.8.5.255")
is_served("8.8.5.255", listening)
a = association()
a.send(("8.8.4.255", 9))
a.echo(udp_there("8.8.5.255"))
a.close_and_check(drops="denied 1", RULE="built-in 4")
# If a rule allows every address, the kernel refuses a broadcast address.
check(asks("8.8.4.255", 80, "allow to any")[0], 3)
PY
}

@test "host: datagrams to an address of this host are dropped, also if it becomes one later" {
    world <<'PY'
here("8.8.4.4")
there("8.8.8.8", "9.9.9.9")
Server({"own.test": ["8.8.4.4"], "far.test": ["8.8.8.8"]})
own, far, other = udp("8.8.4.4"), udp_there("8.8.8.8"), udp_there("9.9.9.9")
port = at(far)[1]
a = association()
for to in at(own), (b"own.test", at(own)[1]), ("64:ff9b::808:404", at(own)[1]):
    a.send(to)
for to in ("8.8.8.8", port), (b"far.test", port):
    a.echo(far, to=to)
assert silent(own)
assert netlink(a.pid)


def arrives(to, sock):
    """Whether a datagram from the client arrives at SOCK."""
    a.send(to)
    a.echo(other)  # the datagram was sent or dropped
    if silent(sock):
        return False
    sock.recv(100)
    return True


here("8.8.8.8")
near = udp("8.8.8.8", port)
for to in ("8.8.8.8", port), (b"far.test", port):
    eventually(lambda to=to: not arrives(to, near), "it is dropped")
ip("address del 8.8.8.8/32 dev lo")
eventually(lambda: arrives(("8.8.8.8", port), far), "it is sent again")
assert silent(own)
a.client.close()
record = a.ended(END="closed", RULE="built-in 4")
check(record["STDSOCKS_REMEDY"],
      f"allow from unix command udp to 8.8.4.4 at loopback port {at(own)[1]}")
a = association("allow to loopback")
a.echo(own)
a.send(("8.8.8.8", port))
a.close_and_check(drops="denied 1")
PY
}

@test "host: RESOLVE, RESOLVE_PTR and BIND use the same classes" {
    world <<'PY'
here("8.8.4.4")
there("8.8.8.8")
Server({"own.test": ["8.8.4.4"], "both.test": ["8.8.4.4", "8.8.8.8"]})
check(looked_up(b"own.test"), 2)
check(looked_up("8.8.4.4"), 2)
check(looked_up("8.8.4.4", command=RESOLVE_PTR), 2)
check(looked_up(b"own.test", "allow to loopback"), 0)
check(looked_up("8.8.8.8"), 0)
check(looked_up(b"both.test"), 0)
check(looked_up(b"both.test", "deny to public", "allow to private"), 2)
for host, rules, reply in ("8.8.4.4", [], 2), ("8.8.8.8", [], 0), \
        ("8.8.4.4", ["allow to loopback"], 0):
    h = configured("command bind", *rules)
    message = request(host, 0)
    h.client.send(GREETING + message[:1] + b"\x02" + message[2:])
    check(h.client.recv(2), CHOSEN)
    check((host, h.read_reply()), (host, reply))
    h.terminate()
    h.close_client()
PY
}

@test "host: an address is also of this host if only the configured mark or device leads to it" {
    need_root
    world <<'PY'
there("9.9.9.9", "9.8.8.8", "8.8.8.8")
here("8.8.4.4")
ip("rule add fwmark 7 lookup 100", "route add local 9.9.0.0/16 dev lo table 100",
   "rule add oif near lookup 101", "route add local 9.8.0.0/16 dev near table 101")
(marked, device, far) = listeners("9.9.9.9", "9.8.8.8", "8.8.8.8")
is_served("9.9.9.9", marked)
is_denied("9.9.9.9", marked, "source mark 7", rule="built-in 4")
is_denied("9.8.8.8", device, "source device near", rule="built-in 4")
for source in "mark 7", "device near":
    is_served("8.8.8.8", far, f"source {source}")
    is_denied("8.8.4.4", far, f"source {source}", rule="built-in 4")
# With both, the local route of the mark does not apply, because it has another device.
is_served("9.9.9.9", marked, "source mark 7", "source device near")
PY
}

@test "host: without a route to the destination, the reply is that of the failed connection" {
    world <<'PY'
here("8.8.4.4")
ip("route add unreachable 9.9.1.0/24", "route add prohibit 9.9.2.0/24",
   "route add blackhole 9.9.3.0/24", "route add unreachable 2600:1::/32")
for host, reply in ("8.8.8.8", 3), ("2606:4700::1", 3), ("9.9.1.1", 4), ("9.9.2.1", 2), \
        ("9.9.3.1", 3), ("2600:1::1", 4):
    got, record = asks(host, 80)
    check((host, got, record.get("RULE")), (host, reply, None))
PY
}

@test "host: the kernel is asked only if the decision depends on it, with four calls" {
    need strace gcc
    world <<'PY'
from calls import Traced, events


def calls(host, port, *rules, ends=None):
    """The number of each system call of a session."""
    h = Traced("-f", "/dev/null", *lines(*rules), rules=(), ends=ends or from_pair())
    reply = h.connect(host, port_of(port) if isinstance(port, socket.socket) else port)
    if reply == 0:
        port.accept()[0].close()
    check(h.client.end()[1], "fin")
    h.close_client()
    return collections.Counter("netlink" if name == "socket" and words[0] == socket.AF_NETLINK
                               else name for _, _, name, words, _ in events(h.calls))

there("8.8.8.8", "10.0.0.1")
here("9.9.9.9", "8.8.4.4")
far, own = listeners("8.8.8.8", "127.0.0.1")
alike = calls("8.8.8.8", far, "allow to any")
check(alike["netlink"], 0)
check(calls("8.8.8.8", far) - alike, {"netlink": 1, "sendto": 1, "recvfrom": 1, "close": 1})
for host, port, rules, ends, asked in [
    ("8.8.4.4", 80, [], None, 1),
    ("8.8.8.8", far, ["deny to loopback", "allow"], None, 1),
    ("8.8.8.8", far, ["allow to 8.0.0.0/8"], None, 0),
    ("127.0.0.1", own, ["allow to loopback"], None, 0),
    ("127.0.0.1", own, [], None, 0),
    ("10.0.0.1", 80, [], None, 0),
    ("8.8.8.8", 25, [], None, 0),
    ("8.8.8.8", 80, ["deny to loopback", "allow to private"], None, 0),
    ("8.8.8.8", 80, [], from_ip("9.9.9.9"), 0),
]:
    check((host, rules, calls(host, port, *rules, ends=ends)["netlink"]), (host, rules, asked))
PY
}

@test "host: if the kernel cannot be asked, requests are denied, and the record says why" {
    need strace gcc
    world <<'PY'
from calls import names

REASON = "cannot ask the kernel whether the destination is this host; allow AF_NETLINK sockets"
there("8.8.8.8", "8.8.4.4")
(far,) = listeners("8.8.8.8")
server = Server({"far.test": ["8.8.8.8", "8.8.4.4"], "udp.test": ["8.8.8.8"]})


def failing(inject):
    return {"before": ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}"]}


def deny_netlink():
    """Let socket(2) fail for AF_NETLINK, as RestrictAddressFamilies= does."""
    number = next(number for number, name in names.items() if name == "socket")
    rows = [(0x20, 0, 0, 0), (0x15, 0, 3, number),  # load nr; if it is another one, allow it
            (0x20, 0, 0, 16), (0x15, 0, 1, socket.AF_NETLINK),  # load args[0]
            (0x06, 0, 0, 0x50000 | errno.EAFNOSUPPORT), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = struct.pack("@HP", len(rows), ctypes.addressof(code))
    sys_call(libc.prctl, 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    sys_call(libc.prctl, 22, 2, program, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


DENIED = {"preexec_fn": deny_netlink}
# The first message and the first reply are not for the kernel.
for how, number in (DENIED, errno.EAFNOSUPPORT), \
        (failing("sendto:error=EPERM:when=2"), errno.EPERM), \
        (failing("recvfrom:error=EACCES:when=2"), errno.EACCES), \
        (failing("recvfrom:retval=12:when=2"), errno.EBADMSG):
    for rules in [], ["deny to loopback", "allow to any"]:
        h = configured(*rules, **how)
        check((number, h.connect("8.8.8.8", port_of(far))), (number, 2))
        h.refused(REPLY="2", ERRNO=str(number), RULE=None, REMEDY=None)
        assert REASON in h.log_text(), h.log_text()
h = configured(**DENIED)
check(h.connect(b"far.test", port_of(far)), 2)
h.refused(ERRNO=str(errno.EAFNOSUPPORT))
# The decision does not depend on it.
is_served("8.8.8.8", far, "allow to any", **DENIED)
# The address of this server itself.
own = listener("127.0.0.1")
h = configured("allow to any", ends=connection(own.dup()), **DENIED)
check(h.connect("127.0.0.1", port_of(own)), 2)
h.refused(ERRNO=str(errno.EAFNOSUPPORT), RULE=None)
for to in "8.8.8.8", b"udp.test":
    a = association(**DENIED)
    a.send((to, 9))
    if isinstance(to, bytes):
        server.expect("udp.test")
        eventually(lambda: not queries(), "the lookup has ended")
    a.close_and_check(drops="denied 1", ERRNO=str(errno.EAFNOSUPPORT), RULE=None)
    assert REASON in a.log_text(), a.log_text()
done = subprocess.run([STDSOCKS, "-f", "/dev/null", "--explain", "to 8.8.8.8 port 80"],
                      capture_output=True, text=True, check=True, **DENIED)
assert f"  denied: {REASON}" in done.stdout and done.stdout.endswith("\ndeny\n"), done.stdout
PY
}

@test "host: each process has a netlink socket of its own, and none while it relays" {
    world <<'PY'
there("8.8.8.8")
(far,) = listeners("8.8.8.8")
server = udp_there("8.8.8.8")
h = configured()
upstream = h.connected("8.8.8.8", far)
passes(h.client, upstream, b"x")  # the relay has begun
assert not netlink(h.pid)
h.closed(upstream)
p = Prefork("-f", "/dev/null", "-o", "command connect udp", rules=())
ready = set(p.ready())
assert not any(map(netlink, [p.pid, p.zygote(), *ready]))
a = [datagrams_through(p) for _ in range(2)]
for one in a:
    one.echo(server)
asking = [pid for pid in children(p.zygote()) if netlink(pid)]
check(len(asking), 2)
assert not netlink(p.zygote())
for one in a:
    one.echo(server)
PY
}

@test "host: --explain says which addresses are those of this host" {
    world <<'PY'
here("8.8.4.4", "10.0.0.5")
ip("address add 8.8.5.5/24 brd + dev lo")
there("8.8.8.8")
Server({"both.test": ["8.8.4.4", "8.8.8.8"]})
LOCAL = "(loopback: an address of this host)"
for host, line in ("8.8.4.4", f" at 8.8.4.4 {LOCAL}"), ("10.0.0.5", f" at 10.0.0.5 {LOCAL}"), \
        ("2002:808:404::1", f" at 2002:808:404::1, which reaches 8.8.4.4 {LOCAL}"), \
        ("8.8.5.255", " at 8.8.5.255 (special: a broadcast address)"), \
        ("127.0.0.1", " at 127.0.0.1 (loopback)"), ("8.8.8.8", " at 8.8.8.8 (public)"):
    check(explained(f"to {host} port 80")[1], line)
check(explained("to 8.8.4.4 port 80")[-2:],
      ["  to allow it: allow from stdio to 8.8.4.4 at loopback port 80", "deny"])
check(explained("to 8.8.4.4 port 80", "allow to loopback")[-1], "allow")
said = explained("to both.test port 80")
assert f" at 8.8.4.4 {LOCAL}" in said and " at 8.8.8.8 (public)" in said, said
assert "  to allow it: allow from stdio to both.test at loopback port 80" in said, said
check(said[-1], "allow")
PY
}
