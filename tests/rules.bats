#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Access rules, held against real connections: who may go where, and that nothing leaves before that is known.

load helper
load net/world

setup() {
    need_world
    need_wire
}

# -- What is built in.

@test "rules: an address that is not public is refused with 02, and no packet goes out, when nothing is configured" {
    world <<'PY'
from rules import *
watch = Watch()
for host in forbidden():
    for written in host, host.encode():
        is_denied(written, 80, ends=from_pair(), rule="built-in 4")
        assert not (seen := watch.seen()), (host, seen)
for host in "2001:DB8::1", "0:0:0:0:0:FFFF:127.0.0.1", "::FFFF:7F00:1", "0000:0000:0000:0000:0000:0000:0000:0001":
    is_denied(host.encode(), 80, ends=from_pair(), rule="built-in 4")
check(watch.seen(), [])
PY
}

@test "rules: an answer of DNS that is not public is refused with 02, and not dialled, when nothing is configured" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
names = {f"n{i}.test": host for i, host in enumerate(forbidden())}
server = Server({name: [host] for name, host in names.items()})
for name, host in names.items():
    record = is_denied(name.encode(), 80, ends=from_pair(), rule="built-in 4")
    check(record["DST"], name)
    assert not (seen := watch.connects()), (host, seen)
PY
}

@test "rules: a packet is seen when it goes where these tests say that none went" {
    world <<'PY'
from rules import *
watch = Watch()
missed = []
for host in forbidden():
    h = judged("-o", "allow to any", "-o", "timeout connect 1ms", ends=from_pair())
    h.connect(host, 80)
    h.gone()
    os.unlink(h.log)
    if not watch.connects():
        missed.append(host)
# The kernel itself sends nothing to some.
mute = ("::ffff:", "fe", "ff", "22", "23", "255.", "0.", "127.255.255.255", "127.0.0.0")
assert all(host.startswith(mute) for host in missed), missed
assert len(missed) < 30, missed
PY
}

@test "rules: numbers that only some programs take for an address are refused with 04, without a query" {
    world <<'PY'
from rules import *
watch = Watch()
names = [
    "127.1", "127.0.1", "0x7f000001", "2130706433", "017700000001", "0", "0x0", "10.1", "0177.0.0.1", "127.0.0.1.",
    "::1%lo", "fe80::1%1", "[::1]", "127.0.0.0x1", "127.000.000.001",
]
for name in names:
    for options in [], ["-o", "allow to any"]:
        h = judged(*options, ends=from_pair())
        assert h.connect(name.encode(), 80) == 4, name
        h.refused(REPLY="4", RULE=None)
check(watch.seen(), [])
PY
}

@test "rules: the public neighbours of those addresses are served when nothing is configured" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here(*PUBLIC)
server = Server({f"n{i}.test": [host] for i, host in enumerate(PUBLIC)})
for i, host in enumerate(PUBLIC):
    (listening,) = listeners(host)
    for written in host, host.encode(), f"n{i}.test".encode():
        is_served(written, listening, ends=from_pair(), reached=str(ipaddress.ip_address(host)))
        assert is_waiting(listening), host
        check(watch.connects(), [f"tcp {ipaddress.ip_address(host)} {port_of(listening)}"])
    listening.close()
PY
}

@test "rules: a mapped public address is unreachable, not forbidden [RFC 4291 2.5.5.2]" {
    world <<'PY'
from rules import *
watch = Watch()
check(asks("::ffff:8.8.8.8", 80, ends=from_pair())[0], 3)
check(watch.seen(), [])
PY
}

@test "rules: an address that is not public stays so when a public one lies inside [RFC 5214 6.1]" {
    world <<'PY'
from rules import *
watch = Watch()
for network in "fc00::", "fd12:3456:789a::", "fe80::", "fec0::", "2001:db8::", "ff0e::", "3fff::", "100::", "4000::":
    for inside in "5efe:8.8.8.8", "200:5efe:8.8.8.8":
        host = str(ipaddress.ip_address(network + inside))
        is_denied(host, 80, ends=from_pair(), rule="built-in 4")
        is_denied(host, 80, "-o", "allow to public", ends=from_pair(), rule="end of the rules")
        assert not (seen := watch.seen()), (host, seen)
for rule, host in ("deny to private", "fc00::5efe:8.8.8.8"), ("deny to link-local", "fe80::5efe:8.8.8.8"):
    is_denied(host, 80, "-o", rule, "-o", "allow to any", ends=from_pair(), rule="-o")
check(watch.seen(), [])
PY
}

@test "rules: an address is refused when one of two inside it is not public [RFC 3056 2, RFC 5214 6.1]" {
    world <<'PY'
from rules import *
watch = Watch()
for host in "2002:808:808::5efe:10.0.0.1", "2002:808:808::200:5efe:127.0.0.1":
    is_denied(host, 80, ends=from_pair(), rule="built-in 4")
check(watch.seen(), [])
PY
}

@test "rules: a public address behind a local NAT64 prefix of any length is served [RFC 8215, RFC 6052 2.2]" {
    world <<'PY'
from rules import *
# of 96, 64, 56 and 48 bits
hosts = ["64:ff9b:1::808:808", "64:ff9b:1:0:8:808:800:0", "64:ff9b:1:8:8:808::", "64:ff9b:1:808:8:800::"]
here(*hosts)
for host in hosts:
    (listening,) = listeners(host)
    is_served(host, listening, ends=from_pair())
    listening.close()
PY
}

@test "rules: a client that is not local is refused everything when nothing is configured" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"]})
here("9.9.9.9", "8.8.8.8", "2606:4700::1", "203.0.113.5", "2001:db8::5", "64:ff9b::a00:1")
listening = listeners("8.8.8.8", "2606:4700::1", "127.0.0.1", "::1")
port = port_of(listening[0])
hosts = ["8.8.8.8", "2606:4700::1", "127.0.0.1", "::1", "10.0.0.1", "0.0.0.0", b"public.test", b"inner.test",
         b"8.8.8.8"]
for client in "9.9.9.9", "2606:4700::1", "203.0.113.5", "2001:db8::5", "64:ff9b::a00:1":
    for host in hosts:
        ends = from_ip(client)
        watch.seen()
        is_denied(host, port, ends=ends, rule="built-in 4")
        check(watch.seen(), [])
assert not any(map(is_waiting, listening))
check(server.asked, [])
PY
}

@test "rules: port 25 is refused when nothing is configured, and nothing is looked up for it" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
server = Server({"mail.test": ["8.8.8.8"]})
here("8.8.8.8")
(listening,) = listeners("8.8.8.8", port=25)
for host in "8.8.8.8", b"8.8.8.8", b"mail.test", b"MAIL.test.", "10.0.0.1", "127.0.0.1":
    is_denied(host, 25, ends=from_pair(), rule="built-in 1")
check(server.asked, [])
check(watch.seen(), [])
is_served("8.8.8.8", 25, "-o", "allow port 25", ends=from_pair())
PY
}

# -- Names.

@test "rules: an answer that changes is asked for once, and what was judged is what is dialled" {
    world <<'PY'
from dns import *
from rules import *


def changing(*answers):
    """Each question after the first of its type gets the next answer."""
    given = {}

    def send(server, query, asker):
        kind = question(query)[1]
        given[kind] = given.get(kind, -1) + 1
        server.sock.sendto(answer(query, answers[min(given[kind], len(answers) - 1)]), asker)

    return send


watch = Watch()
here("8.8.8.8", "10.0.0.1")
server = Server({
    "good-first.test": changing(["8.8.8.8"], ["127.0.0.1", "::1"]),
    "bad-first.test": changing(["127.0.0.1"], ["8.8.8.8"]),
    "inner.test": changing(["10.0.0.1"], ["127.0.0.1"]),
})
good, *bad = listening = listeners("8.8.8.8", "127.0.0.1", "::1", "10.0.0.1")
is_served(b"good-first.test", good, ends=from_pair(), reached="8.8.8.8")
assert is_waiting(good) and not any(map(is_waiting, bad))
check(sorted(server.asked), ["A good-first.test", "AAAA good-first.test"])
check(watch.connects(), [f"tcp 8.8.8.8 {port_of(good)}"])
server.asked.clear()

is_denied(b"bad-first.test", good, ends=from_pair())
check(sorted(server.asked), ["A bad-first.test", "AAAA bad-first.test"])
check(watch.connects(), [])

is_served(b"inner.test", good, "-o", "allow to inner.test at 10.0.0.0/8", ends=from_pair(), reached="10.0.0.1")
is_denied(b"inner.test", good, "-o", "allow to inner.test at 10.0.0.0/8", ends=from_pair(), rule="end of the rules")
assert not any(map(is_waiting, (good, *bad[:2])))
PY
}

@test "rules: only the permitted addresses are tried when a name has both kinds" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
bad = ["127.0.0.1", "::1", "10.0.0.1", "fc00::1", "2002:7f00:1::1", "192.168.0.1"]
good = ["8.8.8.8", "2606:4700::1"]
here("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "192.168.0.1")
server = Server({
    "mixed.test": [*bad[:3], good[0], *bad[3:], good[1]],
    "dead.test": ["127.0.0.1", "8.8.4.4", "::1"],
    "bad.test": bad,
})
denied = listeners("127.0.0.1", "::1", "10.0.0.1", "fc00::1", "192.168.0.1")
port = port_of(denied[0])
permitted = listeners(*good, port=port)
record = is_served(b"mixed.test", port, ends=from_pair())
assert record["REACHED"] in good, record
seen = watch.connects()
assert seen and not set(seen) - {f"tcp {host} {port}" for host in good}, seen

# Nobody is there: then all the permitted were tried, and only they.
for sock in permitted:
    sock.close()
reply, record = asks(b"mixed.test", port, ends=from_pair())
assert reply == 5 and "RULE" not in record, record
check(sorted(watch.connects()), sorted(f"tcp {host} {port}" for host in good))

here("8.8.4.4")
check(asks(b"dead.test", port, ends=from_pair())[0], 5)
check(watch.connects(), [f"tcp 8.8.4.4 {port}"])

record = is_denied(b"bad.test", port, ends=from_pair(), rule="built-in 4")
check(watch.connects(), [])
assert not any(map(is_waiting, denied))
PY
}

@test "rules: an alias is judged by where it leads [RFC 1034 3.6.2]" {
    need dnsmasq
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8")
server = Dnsmasq("--cname=inner.test,deep.test", "--cname=deep.test,loop.test", "--cname=outer.test,public.test",
                 hosts=["127.0.0.1 loop.test", "::1 loop.test", "8.8.8.8 public.test"])
(bad, good) = listeners("127.0.0.1", "8.8.8.8")
is_denied(b"inner.test", bad, ends=from_pair(), rule="built-in 4")
is_denied(b"inner.test", bad, "-o", "allow to inner.test", ends=from_pair(), rule="end of the rules")
is_served(b"outer.test", good, ends=from_pair(), reached="8.8.8.8")
# What an alias leads to is not what the client asked for.
is_denied(b"outer.test", good, "-o", "allow to public.test", ends=from_pair(), rule="end of the rules")
is_served(b"outer.test", good, "-o", "deny to public.test", "-o", "allow to any", ends=from_pair())
assert not is_waiting(bad)
check([what for what in watch.connects() if "8.8.8.8" not in what], [])
PY
    world <<'PY'
from dns import *
from rules import *


def to_localhost(records):
    """An alias to "localhost", with what somebody says that its address is."""

    def change(query, right):
        count = struct.pack(">H", 1 + len(records))
        alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 11) + b"\x09localhost\0"
        yield right[:6] + count + right[8:12] + query[12:] + alias + b"".join(records)

    return broken(change)


watch = Watch()
address = b"\x09localhost\0" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
server = Server({"bare.test": to_localhost([]), "full.test": to_localhost([address])})
(listening,) = listeners("127.0.0.1")
for name in b"bare.test", b"full.test":
    for options in [], ["-o", f"allow to {name.decode()}"]:
        reply, record = asks(name, listening, *options, ends=from_pair())
        assert reply in (2, 4) and "REACHED" not in record, (name, reply, record)
check(reply, 2)
check(watch.connects(), [])
# A name of this host is no exception.
is_denied(b"localhost", listening, ends=from_pair(), rule="built-in 4")
is_denied(b"localhost", listening, "-o", "allow to localhost", ends=from_pair(), rule="end of the rules")
is_served(b"localhost", listening, "-o", "allow to localhost at loopback", ends=from_pair())
PY
}

@test "rules: none of a thousand addresses is tried when none is permitted, and only the one that is" {
    need dnsmasq
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8")
many = [f"127.{i // 250}.{i % 250}.9" for i in range(1, 1001)]
write("/etc/hosts", "".join(f"{host} many.test\n" for host in many) +
      "8.8.8.8 one.test\n" + "".join(f"{host} one.test\n" for host in many))
server = Dnsmasq(hosts=[f"{host} remote.test" for host in many])
(bad,) = listeners("0.0.0.0")
is_denied(b"many.test", bad, ends=from_pair(), rule="built-in 4")
is_served(b"one.test", bad, ends=from_pair(), reached="8.8.8.8")
check([what for what in watch.connects() if what.split()[1] != "8.8.8.8"], [])
# More than a datagram holds: whatever the resolver makes of that, nothing is dialled.
h = judged("-o", "timeout handshake 2s", ends=from_pair())
assert h.connect(b"remote.test", port_of(bad)) in (2, 4)
h.refused(REACHED=None)
check([what for what in watch.connects() if what != "tcp 127.0.0.1 53"], [])  # the resolver's own
PY
}

@test "rules: a name that is denied whatever its address is is not looked up" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("9.9.9.9")
server = Server({"name.test": ["8.8.8.8"]})
for rules in [
    ["deny to name.test", "allow to any"],
    ["deny to .test", "allow to any"],
    ["deny to 10.0.0.0/8", "deny to name.test", "allow to any"],
    ["allow to other.test"],
    ["allow to .name.test"],
    ["allow to name.test port 443"],
    ["allow from 10.0.0.0/8 to any"],
    ["allow user alice to any"],
    ["deny"],
    ["deny to any", "allow to any"],
    ["deny to 10.0.0.0/8"],
    ["deny to any at 10.0.0.0/8", "deny", "allow to any"],
]:
    options = [word for rule in rules for word in ("-o", rule)]
    record = is_denied(b"name.test", 80, *options, ends=from_pair())
    assert "RESOLVE_USEC" not in record, (rules, record)
    assert not (seen := watch.seen()), (rules, seen)
ends = from_ip("9.9.9.9")
watch.seen()
is_denied(b"name.test", 80, ends=ends, rule="built-in 4")
check(watch.seen(), [])
check(server.asked, [])
# When it could be permitted it is.
is_denied(b"name.test", 80, "-o", "deny to 8.8.8.0/24", "-o", "allow to any", ends=from_pair(), rule="-o")
check(sorted(server.asked), ["A name.test", "AAAA name.test"])
PY
}

@test "rules: a name is the same in capitals and with a dot at the end, a suffix goes by labels [RFC 4343]" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
names = [
    "example.com", "a.example.com", "b.a.example.com", "evilexample.com", "example.com.evil.com", "example.org", "com",
    "xexample.com", "a-example.com", "example-com.com", "ample.com",
]
server = Server({name: ["8.8.8.8"] for name in names})
matching = {
    "example.com": {"example.com"}, "EXAMPLE.com": {"example.com"}, "example.com.": {"example.com"},
    ".example.com": {"a.example.com", "b.a.example.com"}, ".Example.COM.": {"a.example.com", "b.a.example.com"},
    ".a.example.com": {"b.a.example.com"}, ".com": set(names) - {"com", "example.org"},
    "com": {"com"}, "example.org,.a.example.com": {"example.org", "b.a.example.com"},
}
for where, wanted in matching.items():
    for name in names:
        for written in name, name.upper() + ".":
            asked = written.encode()
            if name in wanted:
                is_served(asked, listening, "-o", f"allow to {where}", ends=from_pair())
                is_denied(asked, listening, "-o", f"deny to {where}", "-o", "allow to any", ends=from_pair(), rule="-o")
            else:
                is_denied(asked, listening, "-o", f"allow to {where}", ends=from_pair(), rule="end of the rules")
# An address has no name.
is_denied("8.8.8.8", listening, "-o", "allow to example.com", ends=from_pair(), rule="end of the rules")
is_denied(b"8.8.8.8", listening, "-o", "allow to example.com", ends=from_pair(), rule="end of the rules")
PY
}

@test "rules: an allowed name is allowed at public addresses, and at others only when the rule says at which" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
table = {
    "public": "8.8.8.8", "public6": "2606:4700::1", "private": "10.0.0.1", "private6": "fc00::1",
    "other": "192.168.0.1", "loopback": "127.0.0.1", "loopback6": "::1", "link-local": "169.254.169.254",
    "special": "198.18.0.1",
}
here(*(host for name, host in table.items() if "loopback" not in name))
server = Server({f"{name}.test": [host] for name, host in table.items()})
listening = dict(zip(table, listeners(*table.values())))
everything = set(table)
public = {"public", "public6"}
allowed = {
    "allow to .test": public,
    "allow to .test at public": public,
    "allow to .test at private": {"private", "private6", "other"},
    "allow to .test at private,public": {"private", "private6", "other", *public},
    "allow to .test at 10.0.0.0/8": {"private"},
    "allow to .test at 10.0.0.1,fc00::/7": {"private", "private6"},
    "allow to .test at loopback": {"loopback", "loopback6"},
    "allow to .test at link-local": {"link-local"},
    "allow to .test at any": everything,
    "allow to .test,10.0.0.0/8": {"private", *public},
    "allow to .test,any": everything,
    "allow to any": everything,
    "allow": everything,
    "allow to 10.0.0.0/8": {"private"},
    "allow to any at private": {"private", "private6", "other"},
    "allow to private at 10.0.0.0/8": {"private"},
    "allow to 2000::/3": {"public6"},
    "allow to public.test,private.test": {"public"},
    "allow to public.test,private.test at any": {"public", "private"},
}
for rule, wanted in allowed.items():
    for name, sock in listening.items():
        if name in wanted:
            is_served(f"{name}.test".encode(), sock, "-o", rule, ends=from_pair(), reached=table[name])
        else:
            is_denied(f"{name}.test".encode(), sock, "-o", rule, ends=from_pair(), rule="end of the rules")
        assert is_waiting(sock) == (name in wanted), (rule, name)
PY
}

@test "rules: an IPv6 prefix denies what it holds, and allows of it only what is public inside" {
    world <<'PY'
from rules import *
watch = Watch()
here("2002:808:808::1", "2606:4700::1")
outer, plain = listeners("2002:808:808::1", "2606:4700::1")
is_denied("2002:808:808::1", outer, "-o", "deny to 2002::/16", "-o", "allow to any", ends=from_pair(), rule="-o")
is_denied("2002:a00:1::1", outer, "-o", "deny to 10.0.0.0/8", "-o", "allow to any", ends=from_pair(), rule="-o")
is_denied("2002:a00:1::1", outer, "-o", "deny to private", "-o", "allow to any", ends=from_pair(), rule="-o")
is_denied("64:ff9b::a00:1", outer, "-o", "deny to private", "-o", "allow to any", ends=from_pair(), rule="-o")
for rule in "allow to 2002::/16", "allow to 2000::/3", "allow to ::/0", "allow to 2002:a00:1::1", "allow to public":
    is_denied("2002:a00:1::1", 80, "-o", rule, ends=from_pair(), rule="end of the rules")
for host in "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a00:1":
    is_denied(host, 80, "-o", "allow to ::/0", ends=from_pair(), rule="end of the rules")
check(watch.connects(), [])
for rule in "allow to 2002::/16", "allow to 2000::/3", "allow to 8.8.8.8", "allow to public":
    is_served("2002:808:808::1", outer, "-o", rule, ends=from_pair())
is_served("2606:4700::1", plain, "-o", "allow to 2606:4700::/32", ends=from_pair())
is_denied("2606:4700::1", plain, "-o", "allow to 2606:4701::/32", ends=from_pair())
PY
}

@test "rules: an address is denied, and allowed, as what it reaches" {
    world <<'PY'
from rules import *
watch = Watch()
reach = {
    "127.0.0.1": "127.0.0.1 0.0.0.0 ::ffff:127.0.0.1 ::ffff:0.0.0.0 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::",
    "::1": "::1 ::",
    "10.0.0.1": "10.0.0.1 ::ffff:10.0.0.1 ::10.0.0.1 64:ff9b::a00:1 64:ff9b:1::a00:1 2002:a00:1::1 2001::f5ff:fffe",
    "8.8.8.8": "8.8.8.8 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001::f7f7:f7f7",
}
groups = {"127.0.0.1": "127.0.0.0/8 loopback", "::1": "::1/128 loopback", "10.0.0.1": "10.0.0.0/8 private",
          "8.8.8.8": "8.0.0.0/8 public"}
for inside, hosts in reach.items():
    for host in hosts.split():
        for where in inside, *groups[inside].split():
            is_denied(host, 80, "-o", f"deny to {where}", "-o", "allow to any", ends=from_pair(), rule="-o")
            h = judged("-o", f"allow to {where}", "-o", "timeout connect 1ms", ends=from_pair())
            assert h.connect(host, 80) != 2, (host, where)
            h.gone()
            os.unlink(h.log)
PY
}

@test "rules: a prefix of mapped addresses is that of the IPv4 addresses [RFC 4291 2.5.5.2]" {
    world <<'PY'
from rules import *
here("10.1.2.3", "8.8.8.8")
(listening,) = listeners("8.8.8.8")
for host in "10.0.0.1", "::ffff:10.0.0.1", "2002:a00:1::1":
    is_denied(host, 80, "-o", "deny to ::ffff:10.0.0.0/104", "-o", "allow", ends=from_pair(), rule="-o")
is_served("8.8.8.8", listening, "-o", "allow to ::ffff:8.8.8.8", ends=from_pair())
for to in None, "::":
    is_served("8.8.8.8", listening, "-o", "allow from ::ffff:10.1.2.3", ends=from_ip("10.1.2.3", to))
    is_denied("8.8.8.8", listening, "-o", "deny from ::ffff:10.0.0.0/104", "-o", "allow", ends=from_ip("10.1.2.3", to))
PY
}

# -- Which rule decides, and what is said of it.

@test "rules: the first rule that matches decides, -o in its order before the file" {
    world <<'PY'
from rules import *
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
path = f"{WORLD}/rules"
port = port_of(listening)


def with_file(text, *lines):
    write(path, text or "#\n")
    return ["-f", path, *(word for line in lines for word in ("-o", line))]


def denied(text, *lines, rule, host="8.8.8.8"):
    return is_denied(host, port, *with_file(text, *lines), ends=from_pair(), rule=rule)


def served(text, *lines, host="8.8.8.8"):
    return is_served(host, port, *with_file(text, *lines), ends=from_pair())


served("allow to 8.8.8.8\ndeny\n")
denied("deny\nallow to 8.8.8.8\n", rule=f"{path}:1")
denied("# one\n\n  deny to 8.8.8.0/24 # here\nallow to any\n", rule=f"{path}:3")
denied("allow to 1.1.1.1\nallow to 8.8.8.8 port 1\n", rule="end of the rules")
denied("allow to 1.1.1.1\n", rule="end of the rules")
denied("timeout idle 1h\ndeny port 1-65535", rule=f"{path}:2")
served("deny\n", "allow to 8.8.8.8")
served("deny\n", "allow to 1.1.1.1", "allow to any")
denied("allow to any\n", "deny to 8.8.8.8", rule="-o")
served("deny\n", "allow to 8.8.8.8", "deny to 8.8.8.8")
denied("allow\n", "deny to 8.8.8.8", "allow to 8.8.8.8", rule="-o")
denied("allow to 1.1.1.1\n", "timeout idle 1h", rule="end of the rules")
served("deny from 10.0.0.0/8\ndeny user any\ndeny port 1-2\ndeny to 8.8.8.8 at 9.9.9.9\nallow command connect\n")
# One rule of one's own, and what is built in is gone.
denied("allow from 10.0.0.0/8\n", rule="end of the rules")
denied("", "deny port 25", rule="end of the rules")
served("# nothing\n\n", "", "# nothing either")
# Every clause must hold.
for clause in "from 10.0.0.0/8", "user any", "to 9.9.9.9", "to any at 9.9.9.9", "port 1,2-3":
    other = "" if "to" in clause else " to any"
    denied(f"allow {clause}{other}\n", rule="end of the rules")
served(f"allow port {port}-{port} to 9.9.9.9,8.8.8.8 command connect from unix\n")
served(f"allow port 1,{port - 1}-{port + 1}\n")
PY
}

@test "rules: the default file's rules hold when there is one, and no -f" {
    world <<'PY'
from rules import *
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
port = port_of(listening)
os.makedirs("/etc/stdsocks", exist_ok=True)
write("/etc/stdsocks/stdsocks.conf", "timeout idle 1h\ndeny to 8.8.8.8\nallow to any\n")
h = Handler(rules=(), ends=from_pair())
check(h.connect("8.8.8.8", port), 2)
h.refused(RULE="/etc/stdsocks/stdsocks.conf:2", REPLY="2")
is_served("8.8.8.8", port, ends=from_pair())  # with -f /dev/null
os.unlink("/etc/stdsocks/stdsocks.conf")
h = Handler(rules=(), ends=from_pair())
check(h.connect("10.0.0.1", port), 2)
h.refused(RULE="built-in 4")
PY
}

@test "rules: the line that the record names opens what was refused when it is put in front" {
    world <<'PY'
from dns import *
from rules import *
here("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "9.9.9.9", "fe80::5", "2001:db8::5")
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"], "inner6.test": ["fc00::1"]})
listening = listeners("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "127.0.0.1", "::1")
port = port_of(listening[0])
mail = listeners("8.8.8.8", port=25)
path = f"{WORLD}/rules"
write(path, "allow to 1.1.1.1\ndeny to 8.8.8.8\nallow to 8.8.8.8\n")
clients = {
    "unix": from_pair, "unix:0": lambda: from_path(0), "unix:65534": lambda: from_path(65534),
    "127.0.0.1": lambda: from_ip("127.0.0.1"), "::1": lambda: from_ip("::1"), "9.9.9.9": lambda: from_ip("9.9.9.9"),
    "10.0.0.1": lambda: from_ip("10.0.0.1", "::"), "fe80::5": lambda: from_ip("fe80::5", scope=1),
    "2001:db8::5": lambda: from_ip("2001:db8::5"),
}
# host, port, options, by which rule, the end of the line
refusals = [
    ("8.8.8.8", 25, [], "built-in 1", "8.8.8.8 port 25"),
    ("10.0.0.1", port, [], "built-in 4", f"10.0.0.1 port {port}"),
    ("fc00::1", port, [], "built-in 4", f"fc00::1 port {port}"),
    ("127.0.0.1", port, [], "built-in 4", f"127.0.0.1 port {port}"),
    ("0.0.0.0", port, [], "built-in 4", f"127.0.0.1 port {port}"),
    ("::", port, [], "built-in 4", f"::1 port {port}"),
    (b"127.0.0.1", port, [], "built-in 4", f"127.0.0.1 port {port}"),
    ("8.8.8.8", port, ["-f", path], f"{path}:2", f"8.8.8.8 port {port}"),
    ("2606:4700::1", port, ["-f", path], "end of the rules", f"2606:4700::1 port {port}"),
    ("8.8.8.8", port, ["-o", "deny"], "-o", f"8.8.8.8 port {port}"),
    (b"public.test", port, ["-f", path], f"{path}:2", f"public.test port {port}"),
    (b"public.test", port, ["-o", "deny"], "-o", f"public.test port {port}"),
    (b"Public.TEST.", port, ["-o", "deny"], "-o", f"Public.TEST. port {port}"),
    (b"inner.test", port, ["-o", "allow to .test"], "end of the rules", f"inner.test at 10.0.0.1 port {port}"),
    (b"inner6.test", port, ["-o", "allow to public"], "end of the rules", f"inner6.test at fc00::1 port {port}"),
]
for client, ends in clients.items():
    for host, to_port, options, rule, line in refusals:
        remedy = f"allow from {client} to {line}"
        record = is_denied(host, to_port, *options, ends=ends(), rule=rule, remedy=remedy)
        check((record["END"], record["REPLY"], record["CLOSED_BY"]), ("refused", "2", "stdsocks"))
        is_served(host, to_port, "-o", remedy, *options, ends=ends())
# It opens no more than that.
remedy = f"allow from unix to 10.0.0.1 port {port}"
for host, to_port, ends in ("8.8.8.8", port, from_pair), ("10.0.0.1", 80, from_pair), ("fc00::1", port, from_pair), \
        ("10.0.0.1", port, clients["10.0.0.1"]), (b"inner6.test", port, from_pair):
    is_denied(host, to_port, "-o", remedy, ends=ends(), rule="end of the rules")
PY
}

@test "rules: two lines open a name that was refused without a lookup, and leads to a private address" {
    world <<'PY'
from dns import *
from rules import *
here("10.0.0.1")
server = Server({"inner.test": ["10.0.0.1"]})
(listening,) = listeners("10.0.0.1")
first = is_denied(b"inner.test", listening, "-o", "deny", ends=from_pair())["REMEDY"]
check(server.asked, [])
second = is_denied(b"inner.test", listening, "-o", first, ends=from_pair(), rule="end of the rules")["REMEDY"]
check(second, f"allow from unix to inner.test at 10.0.0.1 port {port_of(listening)}")
is_served(b"inner.test", listening, "-o", second, "-o", first, ends=from_pair())
PY
}

@test "rules: the line opens the address that a rule refused when another one would be a loop" {
    world <<'PY'
from dns import *
from rules import *
here("10.0.0.1")
server = Server({"both.test": ["10.0.0.1", "127.0.0.1"]})
listening = listener("127.0.0.1")
port = port_of(listening)
h = judged("-o", "allow to both.test at loopback", ends=connection(listening))
check(h.connect(b"both.test", port), 2)
h.refused(RULE="end of the rules", REMEDY=f"allow from 127.0.0.1 to both.test at 10.0.0.1 port {port}")
PY
}

@test "rules: a user's rule is for who has logged in" {
    world <<'PY'
from rules import *
here("8.8.8.8", "9.9.9.9", "10.0.0.1")
listening, inner = listeners("8.8.8.8", "10.0.0.1")
port = port_of(listening)
users = f"{WORLD}/users"
write(users, "alice:secret\nbob:hidden\n")
os.chmod(users, 0o600)


def known(name, password):
    return [(b"\x05\x01\x02", b"\x05\x02"), (login(name, password), b"\x01\x00")]


def far():
    return from_ip("9.9.9.9")


either = ["-o", f"users {users}", "-o", "auth none password"]
alice, bob = known(b"alice", b"secret"), known(b"bob", b"hidden")
is_denied("8.8.8.8", port, *either, ends=far(), rule="built-in 4")
record = is_served("8.8.8.8", port, *either, ends=far(), said=alice)
check(record["USER"], "alice")
is_denied("8.8.8.8", 25, *either, ends=far(), said=alice, rule="built-in 1")
for host in "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1":
    is_denied(host, port, *either, ends=far(), said=alice, rule="built-in 4")
rules = {
    "allow user alice": [alice], "allow user bob": [bob], "allow user any": [alice, bob], "allow user Alice": [],
    "allow user ali": [], "allow user alice,bob": [alice, bob], "allow user alice,any": [alice, bob],
}
for rule, who in rules.items():
    for said in alice, bob, None:
        judge = is_served if said in who else is_denied
        judge("8.8.8.8", port, "-o", rule, *either, ends=far(), said=said)
# Nobody is no user, and nothing denies him as one.
is_served("8.8.8.8", port, "-o", "deny user any", "-o", "allow", ends=far())
is_denied("8.8.8.8", port, "-o", "deny user any", "-o", "allow", *either, ends=far(), said=bob, rule="-o")
assert not is_waiting(inner)
PY
}

# -- Loops.

@test "rules: where the server itself listens is refused with 02 under every name that it has" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8", "10.0.0.1", "2606:4700::1", "fc00::1")
names = ["127.0.0.1 localhost", "10.0.0.1 me.test", "2606:4700::1 me6.test", "127.0.0.1 both.test", "::1 both.test"]
write("/etc/hosts", "".join(line + "\n" for line in names))
hosts = [
    "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "8.8.8.8", "10.0.0.1", "2606:4700::1", "fc00::1",
    "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
    "2002:808:808::1", b"127.0.0.1", b"::1", b"0.0.0.0", b"localhost", b"me.test", b"me6.test", b"both.test",
]
for at in "0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1":
    listening = socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET)
    if at == "::":
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((at, 0))
    listening.listen()
    port = port_of(listening)
    to = at if at not in ("0.0.0.0", "::") else "127.0.0.1"
    for rules in ["allow to any"], ["allow"]:
        for host in hosts:
            client = socket.create_connection((to, port), DEADLINE_S)
            ends = client, listening.accept()[0]
            watch.seen()
            record = is_denied(host, port, *(word for rule in rules for word in ("-o", rule)), ends=ends)
            assert "RULE" not in record and "REMEDY" not in record, record
            assert not (seen := watch.seen()), (host, seen)
    assert not is_waiting(listening)
    listening.close()
PY
}

@test "rules: where the server listens is refused when its own address carries another one inside" {
    world <<'PY'
from rules import *
watch = Watch()
hosts = ["2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2606:4700::200:5efe:10.0.0.1", "2001:0:101:101::f7f7:f7f7",
         "64:ff9b::808:808"]
for own in hosts:
    here(own)
    listening = listener(own)
    ends = connection(listening.dup())
    watch.seen()
    h = judged("-o", "allow to any", ends=ends)
    got = h.connect(own, port_of(listening))
    assert got == 2, (own, got)
    h.refused(REPLY="2")
    assert not (seen := watch.seen()), (own, seen)
    assert not is_waiting(listening), own
PY
}

@test "rules: where the server listens is refused by a network's second address, too" {
    world <<'PY'
from rules import *
# The kernel goes to .6 from .5: the source does not tell that it is this host.
ip("address add 192.0.2.5/24 dev lo", "address add 192.0.2.6/24 dev lo",
   "route add local 10.78.0.0/16 dev lo src 192.0.2.5")
for own in "192.0.2.5", "192.0.2.6", "10.78.7.8":
    listening = listener("0.0.0.0")
    h = judged("-o", "allow to any", ends=connection(listening.dup()))
    got = h.connect(own, port_of(listening))
    assert got == 2, (own, got)
    h.refused(REPLY="2")
    assert not is_waiting(listening), own
PY
}

@test "rules: another port of this host, and the same port of another host, are no loop" {
    world <<'PY'
from wire import *
from rules import *
wire = Wire()
listening = socket.create_server(("0.0.0.0", 0))
port = port_of(listening)
(other,) = listeners("127.0.0.1")
far = [wire.listener(host, port) for host in ("192.0.2.1", "2001:db8::1")]


def ends():
    client = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    return client, listening.accept()[0]


is_served("127.0.0.1", other, "-o", "allow to any", ends=ends())
is_served("192.0.2.1", port, "-o", "allow to any", ends=ends())
is_served("2001:db8::1", port, "-o", "allow to any", ends=ends())
check(wire.tried(), ["192.0.2.1", "2001:db8::1"])
# A client of AF_UNIX has come by no port.
is_served("127.0.0.1", other, "-o", "allow to any", ends=from_pair())
PY
}

@test "rules: the same port of another host is no loop when any address can be bound [ip_nonlocal_bind]" {
    world <<'PY'
from wire import *
from rules import *
wire = Wire()
sysctl("ipv4/ip_nonlocal_bind", "1")
sysctl("ipv6/ip_nonlocal_bind", "1")
listening = socket.create_server(("0.0.0.0", 0))
port = port_of(listening)
for host in "192.0.2.1", "2001:db8::1":
    remote = wire.listener(host, port)
    client = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    is_served(host, port, "-o", "allow to any", ends=(client, listening.accept()[0]))
check(wire.tried(), ["192.0.2.1", "2001:db8::1"])
for host in "127.0.0.1", "192.0.2.200", "2001:db8::8000", "0.0.0.0":
    client = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    is_denied(host, port, "-o", "allow to any", ends=(client, listening.accept()[0]))
PY
}

# -- Who asks.

@test "rules: a client's class is that of its address as it stands" {
    world <<'PY'
from rules import *
clients = {
    ("127.0.0.1", None): "loopback", ("127.9.9.9", None): "loopback", ("::1", None): "loopback",
    ("127.0.0.1", "::"): "loopback",
    ("10.1.2.3", None): "private", ("10.1.2.3", "::"): "private", ("172.16.0.5", None): "private",
    ("192.168.7.7", "::"): "private",
    ("100.64.0.5", None): "private", ("fd00::5", None): "private", ("fec0::5", None): "private",
    ("169.254.5.5", None): "link-local", ("169.254.5.5", "::"): "link-local", ("fe80::5", None): "link-local",
    ("9.9.9.9", None): "public", ("9.9.9.9", "::"): "public", ("172.32.0.5", None): "public",
    ("2606:4700::5", None): "public",
    # Whoever has such an address has chosen what lies inside.
    ("2002:a00:1::5", None): "public", ("2002:7f00:1::5", None): "public", ("2606:4700::5efe:a00:1", None): "public",
    ("2606:4700::200:5efe:10.0.0.1", None): "public",
    ("64:ff9b::a00:1", None): None, ("64:ff9b:1::a00:1", None): None, ("2001::f5ff:fffe", None): None,
    ("203.0.113.5", None): None, ("203.0.113.5", "::"): None, ("2001:db8::5", None): None, ("198.18.0.5", None): None,
}
here(*{host for host, _ in clients if not host.startswith("127.") and host != "::1"}, "8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
for (host, to), its in clients.items():
    def ends():
        return from_ip(host, to, scope=1 if host.startswith("fe80") else 0)

    for group in "loopback", "private", "link-local", "public", "unix", "stdio":
        judge = is_served if group == its else is_denied
        record = judge("8.8.8.8", listening, "-o", f"allow from {group}", ends=ends())
        check(record["CLIENT"], str(ipaddress.ip_address(host)))
    is_served("8.8.8.8", listening, "-o", "allow from any", ends=ends())
    is_served("8.8.8.8", listening, "-o", f"allow from {host}", ends=ends())
    is_denied("8.8.8.8", listening, "-o", f"deny from {host}", "-o", "allow", ends=ends(), rule="-o")
    is_denied("8.8.8.8", listening, "-o", "allow from 10.0.0.1,::2,unix:0", ends=ends(), rule="end of the rules")
    judge = is_served if its in ("loopback", "private", "link-local") else is_denied
    judge("8.8.8.8", listening, ends=ends())
PY
}

@test "rules: a client of AF_UNIX is its user where the kernel knows, and one on pipes is stdio" {
    world <<'PY'
from rules import *
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
port = port_of(listening)
makers = {"root": lambda: from_path(0), "nobody": lambda: from_path(65534), "nameless": lambda: from_path(54321),
          "pair": from_pair}
served = {
    "unix": {"root", "nobody", "nameless", "pair"},
    "unix:0": {"root"}, "unix:65534": {"nobody"}, "unix:54321": {"nameless"}, "unix:1": set(), "unix:4294967295": set(),
    "unix:0,unix:65534": {"root", "nobody"},
    "stdio": {"pipes"}, "any": {*makers, "pipes"},
    "loopback": set(), "private": set(), "link-local": set(), "public": set(),
    "0.0.0.0/0,::/0": set(),
}
for who, wanted in served.items():
    rule = ("-o", f"allow from {who}")
    for name, ends in makers.items():
        judge = is_served if name in wanted else is_denied
        check(judge("8.8.8.8", port, *rule, ends=ends())["CLIENT"], "unix")
    assert reply_on_pipes("8.8.8.8", port, *rule) == (0 if "pipes" in wanted else 2), who
# Who has a name in the system is that user, without a login.
for user, wanted in ("root", {"root"}), ("nobody", {"nobody"}), ("any", {"root", "nobody"}):
    rule = ("-o", f"allow user {user}")
    for name, ends in makers.items():
        judge = is_served if name in wanted else is_denied
        judge("8.8.8.8", port, *rule, ends=ends())
    assert reply_on_pipes("8.8.8.8", port, *rule) == 2, rule
# Without rules both are local.
for ends in makers.values():
    is_served("8.8.8.8", port, ends=ends())
    is_denied("127.0.0.1", port, ends=ends(), rule="built-in 4")
check(reply_on_pipes("8.8.8.8", port), 0)
check(reply_on_pipes("127.0.0.1", port), 2)
check(reply_on_pipes("8.8.8.8", 25), 2)
PY
}

@test "rules: a client of AF_UNIX is known by an abstract name, too" {
    world <<'PY'
from rules import *
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
with socket.socket(socket.AF_UNIX) as unix:
    unix.bind(b"\0stdsocks")
    unix.listen()
    for rule, judge in ("allow from unix:0", is_served), ("allow from unix:1", is_denied):
        client = socket.socket(socket.AF_UNIX)
        client.connect(b"\0stdsocks")
        judge("8.8.8.8", listening, "-o", rule, ends=(client, unix.accept()[0]))
PY
}

@test "rules: a client of AF_VSOCK is in no class, and only \"any\" is for it" {
    "$PYTHON" - <<'PY' || skip 'this kernel leads AF_VSOCK nowhere' # no package brings it
import socket
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening, socket.socket(socket.AF_VSOCK) as client:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    client.settimeout(0.5)
    client.connect((1, listening.getsockname()[1]))
PY
    world <<'PY'
from rules import *
here("8.8.8.8")
(to,) = listeners("8.8.8.8")
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    for who in None, "any", "unix", "stdio", "loopback", "private", "link-local", "public", "0.0.0.0/0":
        client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        client.connect((1, listening.getsockname()[1]))
        spare, accepted = socket.socket(socket.AF_UNIX), listening.accept()[0]
        h = judged(*(["-o", f"allow from {who}"] if who else []), ends=(spare, accepted))
        h.client.sock = client
        check(h.connect("8.8.8.8", port_of(to)), 0 if who == "any" else 2)
        h.terminate()
        h.gone()
PY
}

# -- What is configured.

@test "rules: no keyword makes anything reachable by being there" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8", "9.9.9.9", "10.0.0.1")
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"]})
listening = listeners("8.8.8.8", "10.0.0.1", "127.0.0.1", "::1")
port = port_of(listening[0])
mail = listeners("8.8.8.8", port=25)
users = f"{WORLD}/users"
write(users, "alice:secret\n")
os.chmod(users, 0o600)
path = f"{WORLD}/conf"
configurations = [
    [], [""], ["# allow to any"], ["   ", "\t# x"],
    ["auth none"], [f"users {users}"], [f"users {users}", "auth none"], [f"users {users}", "auth none password"],
    [f"users {users}", "auth password"], ["checkpassword /bin/true"], ["checkpassword /bin/true", "auth none password"],
    [f"users {users}", "checkpassword /bin/true a b"],
    ["timeout handshake 5s"], ["timeout connect 1s"], ["timeout idle none"], ["timeout half-closed none"],
    ["timeout lifetime none"],
    ["command connect"], ["version 5"], ["source 127.0.0.1"], ["source ::1"], ["source 10.0.0.1"], ["source device lo"],
    ["source mark 1"], ["rate up 1G"], ["rate down 1G", "rate up none"],
    [f"users {users}", "auth none password", "timeout idle 1h", "command connect", "version 5", "source 10.0.0.1",
     "rate up 1G"],
]
inner = ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", b"inner.test", b"localhost"]


def far():
    return from_ip("9.9.9.9")


requests = [(from_pair, host, port) for host in inner] + [(from_pair, "8.8.8.8", 25), (far, "8.8.8.8", 25)]
requests += [(far, host, port) for host in (*inner, "8.8.8.8", b"public.test")]


def attempt(ends, host, to_port, said, lines, in_file):
    write(path, "".join(line + "\n" for line in lines) or "#\n")
    options = ["-f", path] if in_file else [word for line in lines for word in ("-o", line)]
    h = judged(*options, ends=ends())
    watch.seen()
    wanted = request_name(host, to_port) if isinstance(host, bytes) else request(host, to_port)
    for words in said:
        h.client.send(words)
        answered = h.client.sock.recv(2)
        if answered[1:] in (b"\xff", b"\x01"):
            break
    else:
        h.client.send(wanted)
        answered = h.client.recv(2)
        assert answered == b"\x05\x02", (lines, host, to_port, said, answered)
    h.client.end()
    h.gone()
    os.unlink(h.log)
    assert not (seen := watch.connects()), (lines, host, seen)


for lines in configurations:
    knows_passwords = "users" in str(lines) or "checkpassword" in str(lines)
    for number, (ends, host, to_port) in enumerate(requests):
        attempt(ends, host, to_port, [GREETING], lines, number % 2)
        # Whoever has logged in may reach what is public, and no more.
        if knows_passwords and (host not in ("8.8.8.8", b"public.test") or to_port == 25):
            attempt(ends, host, to_port, [b"\x05\x02\x00\x02", login(b"alice", b"secret")], lines, number % 2)
assert not any(map(is_waiting, listening + mail))
PY
}

@test "rules: a broken configuration serves nobody, and tells the client so" {
    world <<'PY'
from dns import *
from rules import *
watch = Watch()
here("8.8.8.8")
server = Server({"public.test": ["8.8.8.8"]})
listening = listeners("8.8.8.8", "127.0.0.1")
port = port_of(listening[0])
setups = 0


def file(content, mode=0o644, name=None):
    global setups
    setups += 1
    path = name or f"{WORLD}/broken-{setups}"
    with open(path, "wb") as out:
        out.write(content)
    os.chmod(path, mode)
    return path


os.mkdir("/etc/stdsocks")
users = file(b"alice:secret\n", 0o644)  # which everybody can read
open_users = file(b"alice:secret\n", 0o606)
weak = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
cases = [
    (["-o", "nonsense"], ()),
    (["-o", "allow to any", "-o", "Allow to any"], ()),
    (["-o", "allow to any", "-o", "timeout idle"], ()),
    (["-o", "allow to any", "-o", "allow to"], ()),
    (["-o", "allow to any", "-o", "allow too any"], ()),
    (["-o", "allow to any", "-o", "deny to 10.0.0.0/33"], ()),
    (["-o", "allow to any", "-o", "deny to 10.0.0"], ()),
    (["-o", "allow to any", "-o", "deny from example.com"], ()),
    (["-o", "allow to any", "-o", "deny port 0"], ()),
    (["-o", "allow to any", "-o", "deny port 9-8"], ()),
    (["-o", "allow to any", "-o", "deny to a, b"], ()),
    (["-o", "allow to any", "-o", "deny at private"], ()),
    (["-o", "allow to any", "-o", "deny from unix:root"], ()),
    (["-o", "allow to any", "-o", 'deny "'], ()),
    (["-o", "allow to any", "-o", "auth password"], ()),
    (["-o", "allow to any", "-o", "auth none password"], ()),
    (["-o", "allow to any", "-o", f"users {users}"], ()),
    (["-o", "allow to any", "-o", f"users {open_users}"], ()),
    (["-o", "allow to any", "-o", "users /nowhere/users"], ()),
    (["-o", "allow to any", "-o", "checkpassword /nowhere/program"], ()),
    (["-o", "allow to any", "-f", file(b"allow to any\nallow\tto any\nnonsense 1\n")], ()),
    (["-f", file(b"allow to any\n\0\n")], ()),
    (["-f", file(b"allow to any\n" + b"#" * 1025 + b"\n")], ()),
    (["-f", file(b"allow to any\n" * 4097)], ()),
    (["-f", file(b"allow to any\n" + b"#\n" * (1 << 19))], ()),
    (["-f", file(b"allow to any\n", 0o646)], ()),
    (["-f", file(b"", 0o602)], ()),
    (["-f", file(b"allow to any\n", 0o000)], weak),
    (["-f", "/nowhere/stdsocks.conf"], ()),
    (["-f", "/etc"], ()),
    (["-f", ""], ()),
]


def ended_broken(h):
    """Its record; the status is 78, and nothing went out."""
    h.over(78)
    record = h.record()
    assert not (seen := watch.seen()), seen
    check(h.said().count("\nSTDSOCKS_END="), 1)
    return record


def ask(options, before, host, greeting=GREETING, rules_file=False):
    if rules_file:
        h = Handler(*options, rules=(), ends=from_pair(), before=before)
    else:
        h = judged(*options, ends=from_pair(), before=before)
    h.client.send(greeting)
    assert h.client.recv(2) == CHOSEN, options
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    h.asked_s = 0
    assert h.answer() == 1, options
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    dst = host if isinstance(host, str) else host.decode()
    has(ended_broken(h), END="failed", CLOSED_BY="stdsocks", REPLY="1", DST=dst, RULE=None, REMEDY=None, REACHED=None)
    os.unlink(h.log)


for options, before in cases:
    for host in "8.8.8.8", "127.0.0.1", b"public.test":
        ask(options, before, host)
    ask(options, before, "8.8.8.8", b"\x05\x03\x01\x02\x00")
    h = judged(*options, ends=from_pair(), before=before)
    h.client.send(b"\x05\x01\x02")
    assert h.client.recv(2) == b"\x05\x02", options
    h.client.send(b"\x01\x01a\x01b")
    check(h.client.end(), (b"\x01\x01", "fin"))
    h.client.close()
    has(ended_broken(h), CLOSED_BY="stdsocks", REPLY=None)
    os.unlink(h.log)
# So it is with the file that is read when none is named.
default = "/etc/stdsocks/stdsocks.conf"
for content, mode in (b"allow to any\nnonsense\n", 0o644), (b"allow to any\n", 0o666):
    ask([], (), "8.8.8.8", rules_file=bool(file(content, mode, default)))
os.unlink(default)
os.mkdir(default)
ask([], (), "8.8.8.8", rules_file=True)
check(server.asked, [])
assert not any(map(is_waiting, listening))
PY
}

@test "rules: a file that others can write to is named when it is refused, and read when they cannot" {
    world <<'PY'
from rules import *
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
path = f"{WORLD}/conf"
write(path, "allow to any\n")
for mode, status in (0o644, 0), (0o600, 0), (0o664, 0), (0o646, 78), (0o666, 78), (0o602, 78):
    os.chmod(path, mode)
    h = judged("-f", path, ends=from_pair())
    h.ask("8.8.8.8", port_of(listening))
    check(h.answer(), 1 if status else 0)
    h.terminate()
    h.client.end()
    h.client.close()
    h.over(status)
    assert (f"{path}: everyone can write to it; chmod o-w would do" in h.said()) == bool(status), h.said()
PY
}

@test "rules: a link to nothing in the place of the default file serves nobody" {
    world <<'PY'
with open("/etc/passwd", encoding="utf-8") as file:
    users = file.read()
mount("tmpfs", "/etc", "tmpfs")
write("/etc/passwd", users)  # for the user whom root becomes
check(Handler().connect("127.0.0.1", CLOSED_PORT), 5)
os.mkdir("/etc/stdsocks")
check(Handler().connect("127.0.0.1", CLOSED_PORT), 5)
os.symlink("missing", "/etc/stdsocks/stdsocks.conf")
h = Handler()
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
h.client.close()
h.over(78)
assert "/etc/stdsocks/stdsocks.conf: No such file or directory; " in h.said(), h.said()
PY
}
