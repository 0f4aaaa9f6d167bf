#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Access rules on real connections: which client may reach which destination, and that no packet
# leaves before the decision. tests/unit/{rule,judge,special}.c prove the grammar, the evaluation
# and the classes of addresses; here is an example of each.

load helper
load net/world

prelude <<'PY'
import ipaddress, os, re, socket, struct, tempfile

from dns import Dnsmasq, Server, answer, broken, question
from rules import PUBLIC, Watch, asks, forbidden, from_ip, from_pair, from_path, here, is_denied
from rules import is_served, judged, reply_on_pipes, tries
from socks import CHOSEN, DEADLINE_S, GREETING, check, listener, login, request, request_name
from wire import Wire
from world import CLOSED_PORT, Handler, WORLD, connection, has, ip, is_waiting, listeners, mount
from world import port_of, sysctl, write

USERS = f"{WORLD}/users"
EITHER = [f"users {USERS}", "auth none password"]
write(USERS, "alice:secret\nbob:hidden\n")
os.chmod(USERS, 0o600)


def known(name, password):
    """How a client with this login begins, for is_served() and is_denied()."""
    return [(b"\x05\x01\x02", b"\x05\x02"), (login(name, password), b"\x01\x00")]


def far():
    """A client of a public address."""
    return from_ip("9.9.9.9")
PY

setup() {
    umask 022 # or the handler takes no configuration of a test
    need_world
    need_wire
}

# -- The built-in rules

@test "rules: without rules a non-public address, or a name at one, is refused with 02" {
    world <<'PY'
watch = Watch()
for host in forbidden():
    for written in host, host.encode():
        watch.denies(written, 80, rule="built-in 4")
for host in "2001:DB8::1", "0:0:0:0:0:FFFF:127.0.0.1", "::FFFF:7F00:1", "0000:0000:0000:0000:0000:0000:0000:0001":
    watch.denies(host.encode(), 80, rule="built-in 4")
# A mapped public address is unreachable, not forbidden (RFC 4291 s2.5.5.2).
check(asks("::ffff:8.8.8.8", 80)[0], 3)
check(watch.seen(), [])
# A name is looked up, and not dialled.
names = {f"n{i}.test": host for i, host in enumerate(forbidden())}
server = Server({name: [host] for name, host in names.items()})
for name, host in names.items():
    record = is_denied(name.encode(), 80, rule="built-in 4")
    check(record["DST"], name)
    assert not (seen := watch.connects()), (host, seen)
# With rules the watch sees a packet to each of these addresses that the kernel sends to.
missed = []
for host in forbidden():
    tries(host, 80, "allow to any")
    if not watch.connects():
        missed.append(host)
# The kernel itself sends nothing to some.
mute = ("::ffff:", "fe", "ff", "22", "23", "255.", "0.", "127.255.255.255", "127.0.0.0")
assert all(host.startswith(mute) for host in missed), missed
assert len(missed) < 18, missed
PY
}

@test "rules: numbers that only some programs take for an address are refused with 04, without a query" {
    world <<'PY'
watch = Watch()
names = [
    "127.1", "127.0.1", "0x7f000001", "2130706433", "017700000001", "0", "0x0", "10.1", "0177.0.0.1", "127.0.0.1.",
    "::1%lo", "fe80::1%1", "[::1]", "127.0.0.0x1", "127.000.000.001",
]
for name in names:
    for rules in [], ["allow to any"]:
        reply, record = asks(name.encode(), 80, *rules)
        check((name, reply, record.get("RULE")), (name, 4, None))
check(watch.seen(), [])
PY
}

@test "rules: without rules a local client reaches public addresses, and names at them" {
    world <<'PY'
watch = Watch()
here(*PUBLIC)
server = Server({f"n{i}.test": [host] for i, host in enumerate(PUBLIC)})
for i, host in enumerate(PUBLIC):
    (listening,) = listeners(host)
    for written in host, host.encode(), f"n{i}.test".encode():
        is_served(written, listening, reached=str(ipaddress.ip_address(host)))
        assert is_waiting(listening), host
        check(watch.connects(), [f"tcp {ipaddress.ip_address(host)} {port_of(listening)}"])
    listening.close()
PY
}

@test "rules: without rules a client that is not local is refused everything" {
    world <<'PY'
watch = Watch()
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"]})
clients = "9.9.9.9", "2606:4700::1", "203.0.113.5", "2001:db8::5", "64:ff9b::a00:1"
here(*clients, "8.8.8.8")
listening = listeners("8.8.8.8", "2606:4700::1", "127.0.0.1", "::1")
hosts = ["8.8.8.8", "2606:4700::1", "127.0.0.1", b"public.test", b"inner.test", b"8.8.8.8"]
for client in clients:
    for host in hosts:
        watch.denies(host, listening[0], ends=from_ip(client), rule="built-in 4")
assert not any(map(is_waiting, listening))
check(server.asked, [])
PY
}

@test "rules: without rules port 25 is refused, and nothing is looked up for it" {
    world <<'PY'
watch = Watch()
server = Server({"mail.test": ["8.8.8.8"]})
here("8.8.8.8")
(listening,) = listeners("8.8.8.8", port=25)
for host in "8.8.8.8", b"8.8.8.8", b"mail.test", b"MAIL.test.", "10.0.0.1", "127.0.0.1":
    is_denied(host, 25, rule="built-in 1")
check(server.asked, [])
check(watch.seen(), [])
is_served("8.8.8.8", 25, "allow port 25")
PY
}

# -- Names

@test "rules: a name is looked up once, and the connection goes to the addresses that were judged" {
    world <<'PY'


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
is_served(b"good-first.test", good, reached="8.8.8.8")
assert is_waiting(good) and not any(map(is_waiting, bad))
check(sorted(server.asked), ["A good-first.test", "AAAA good-first.test"])
check(watch.connects(), [f"tcp 8.8.8.8 {port_of(good)}"])
server.asked.clear()

is_denied(b"bad-first.test", good)
check(sorted(server.asked), ["A bad-first.test", "AAAA bad-first.test"])
check(watch.connects(), [])

is_served(b"inner.test", good, "allow to inner.test at 10.0.0.0/8", reached="10.0.0.1")
is_denied(b"inner.test", good, "allow to inner.test at 10.0.0.0/8", rule="end of the rules")
assert not any(map(is_waiting, (good, *bad[:2])))
PY
}

@test "rules: only the permitted addresses of a name are tried" {
    world <<'PY'
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
record = is_served(b"mixed.test", port)
assert record["REACHED"] in good, record
seen = watch.connects()
assert seen and not set(seen) - {f"tcp {host} {port}" for host in good}, seen

# When nothing listens there, all permitted addresses are tried, and no others.
for sock in permitted:
    sock.close()
reply, record = asks(b"mixed.test", port)
assert reply == 5 and "RULE" not in record, record
check(sorted(watch.connects()), sorted(f"tcp {host} {port}" for host in good))

here("8.8.4.4")
check(asks(b"dead.test", port)[0], 5)
check(watch.connects(), [f"tcp 8.8.4.4 {port}"])

record = is_denied(b"bad.test", port, rule="built-in 4")
check(watch.connects(), [])
assert not any(map(is_waiting, denied))
PY
}

@test "rules: an alias is judged by the address that it leads to [RFC 1034 3.6.2]" {
    need dnsmasq
    world <<'PY'
watch = Watch()
here("8.8.8.8")
server = Dnsmasq("--cname=inner.test,deep.test", "--cname=deep.test,loop.test", "--cname=outer.test,public.test",
                 hosts=["127.0.0.1 loop.test", "::1 loop.test", "8.8.8.8 public.test"])
(bad, good) = listeners("127.0.0.1", "8.8.8.8")
is_denied(b"inner.test", bad, rule="built-in 4")
is_denied(b"inner.test", bad, "allow to inner.test", rule="end of the rules")
is_served(b"outer.test", good, reached="8.8.8.8")
# The name that an alias leads to is not the name that the client requested.
is_denied(b"outer.test", good, "allow to public.test", rule="end of the rules")
is_served(b"outer.test", good, "deny to public.test", "allow to any")
assert not is_waiting(bad)
check([what for what in watch.connects() if "8.8.8.8" not in what], [])
PY
    world <<'PY'


def to_localhost(records):
    """An alias to "localhost", with these records for it."""

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
    for rules in [], [f"allow to {name.decode()}"]:
        reply, record = asks(name, listening, *rules)
        assert reply in (2, 4) and "REACHED" not in record, (name, reply, record)
check(reply, 2)
check(watch.connects(), [])
# A name of this host is no exception.
is_denied(b"localhost", listening, rule="built-in 4")
is_denied(b"localhost", listening, "allow to localhost", rule="end of the rules")
is_served(b"localhost", listening, "allow to localhost at loopback")
PY
}

@test "rules: of a thousand addresses of a name only a permitted one is tried" {
    need dnsmasq
    world <<'PY'
watch = Watch()
here("8.8.8.8")
many = [f"127.{i // 250}.{i % 250}.9" for i in range(1, 1001)]
write("/etc/hosts", "".join(f"{host} many.test\n" for host in many) +
      "8.8.8.8 one.test\n" + "".join(f"{host} one.test\n" for host in many))
server = Dnsmasq(hosts=[f"{host} remote.test" for host in many])
(bad,) = listeners("0.0.0.0")
is_denied(b"many.test", bad, rule="built-in 4")
is_served(b"one.test", bad, reached="8.8.8.8")
check([what for what in watch.connects() if what.split()[1] != "8.8.8.8"], [])
# The answer is larger than a datagram: whether it is resolved or not, nothing is dialled.
reply, record = asks(b"remote.test", bad, "timeout handshake 2s")
assert reply in (2, 4) and "REACHED" not in record, (reply, record)
check([what for what in watch.connects() if what != "tcp 127.0.0.1 53"], [])  # the resolver's own
PY
}

@test "rules: a name that is denied at any address is not looked up" {
    world <<'PY'
watch = Watch()
here("9.9.9.9")
server = Server({"name.test": ["8.8.8.8"]})
for rules in [
    ["deny to .test", "allow to any"],
    ["deny to 10.0.0.0/8", "deny to name.test", "allow to any"],
    ["allow to other.test"],
    ["allow to name.test port 443"],
    ["allow from 10.0.0.0/8 to any"],
    ["allow user alice to any"],
    ["deny"],
    ["deny to 10.0.0.0/8"],
    ["deny to any at 10.0.0.0/8", "deny", "allow to any"],
]:
    record = watch.denies(b"name.test", 80, *rules)
    assert "RESOLVE_USEC" not in record, (rules, record)
watch.denies(b"name.test", 80, ends=far(), rule="built-in 4")
check(server.asked, [])
# A name that may be allowed is looked up.
is_denied(b"name.test", 80, "deny to 8.8.8.0/24", "allow to any", rule="-o")
check(sorted(server.asked), ["A name.test", "AAAA name.test"])
PY
}

@test "rules: a rule allows a name by labels, at public addresses or as \"at\" says [RFC 4343]" {
    world <<'PY'
watch = Watch()
table = {
    "public.test": "8.8.8.8", "a.public.test": "2606:4700::1", "evilpublic.test": "8.8.8.8",
    "private.test": "10.0.0.1", "private6.test": "fc00::1", "loopback.test": "127.0.0.1",
    "link-local.test": "169.254.169.254", "special.test": "198.18.0.1",
}
here(*({*table.values()} - {"127.0.0.1"}))
server = Server({name: [host] for name, host in table.items()})
listening = {host: listeners(host)[0] for host in table.values()}
public = {name for name in table if "public" in name}
for rule, wanted in {
    "allow to .test": public,
    "allow to Public.TEST": {"public.test"},
    "allow to .public.test.,private.test": {"a.public.test"},
    "allow to .test at private,public": {"private.test", "private6.test", *public},
    "allow to .test at 10.0.0.1,fc00::/7": {"private.test", "private6.test"},
    "allow to .test,10.0.0.0/8": {"private.test", *public},
    "allow to public.test,private.test at any": {"public.test", "private.test"},
    "allow to any at private": {"private.test", "private6.test"},
    "allow to any": {*table},
}.items():
    for name, host in table.items():
        for written in name, name.upper() + ".":
            if name in wanted:
                is_served(written.encode(), listening[host], rule, reached=host)
            else:
                is_denied(written.encode(), listening[host], rule, rule="end of the rules")
            assert is_waiting(listening[host]) == (name in wanted), (rule, written)
is_denied(b"PUBLIC.test.", listening["8.8.8.8"], "deny to public.test", "allow to any", rule="-o")
# An address has no name.
for host in "8.8.8.8", b"8.8.8.8":
    is_denied(host, listening["8.8.8.8"], "allow to public.test", rule="end of the rules")
PY
}

@test "rules: an address is judged as the address that it carries [RFC 4291 2.5.5.2]" {
    world <<'PY'
watch = Watch()
reach = {
    "127.0.0.1": "127.0.0.1 0.0.0.0 ::ffff:127.0.0.1 ::ffff:0.0.0.0 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::",
    "::1": "::1 ::",
    "10.0.0.1": "10.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::a00:1 2002:a00:1::1",
    "8.8.8.8": "8.8.8.8 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001::f7f7:f7f7",
}
groups = {"127.0.0.1": "loopback", "::1": "::1/128", "10.0.0.1": "::ffff:10.0.0.0/104",
          "8.8.8.8": "public"}
for inside, hosts in reach.items():
    for host in hosts.split():
        for where in inside, groups[inside]:
            is_denied(host, 80, f"deny to {where}", "allow to any", rule="-o")
            assert tries(host, 80, f"allow to {where}") != 2, (host, where)
# A prefix around an address denies it, and allows it only when the address inside is public.
here("2002:808:808::1")
(outer,) = listeners("2002:808:808::1")
watch.seen()
is_denied("2002:808:808::1", outer, "deny to 2002::/16", "allow to any", rule="-o")
is_denied("fc00::5efe:8.8.8.8", 80, "deny to private", "allow to any", rule="-o")
is_denied("fe80::5efe:8.8.8.8", 80, "deny to link-local", "allow to any", rule="-o")
for rule in "allow to 2002::/16", "allow to ::/0", "allow to 2002:a00:1::1", "allow to public":
    is_denied("2002:a00:1::1", 80, rule, rule="end of the rules")
check(watch.connects(), [])
for rule in "allow to 2002::/16", "allow to 8.8.8.8", "allow to public":
    is_served("2002:808:808::1", outer, rule)
PY
}

# -- The deciding rule, and the line that would allow

@test "rules: the first rule that matches decides, -o in its order before the file" {
    world <<'PY'
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
path = f"{WORLD}/rules"
for text, options, rule in [
    ("allow to 8.8.8.8\ndeny\n", [], None),
    ("deny\nallow to 8.8.8.8\n", [], f"{path}:1"),
    ("# one\n\n  deny to 8.8.8.0/24 # here\nallow to any\n", [], f"{path}:3"),
    ("allow to 1.1.1.1\nallow to 8.8.8.8 port 1\n", [], "end of the rules"),
    ("timeout idle 1h\ndeny port 1-65535", [], f"{path}:2"),
    ("deny\n", ["allow to 1.1.1.1", "allow to any"], None),
    ("allow to any\n", ["deny to 8.8.8.8"], "-o"),
    ("deny\n", ["allow to 8.8.8.8", "deny to 8.8.8.8"], None),
    ("allow\n", ["deny to 8.8.8.8", "allow to 8.8.8.8"], "-o"),
    ("allow to 1.1.1.1\n", ["timeout idle 1h"], "end of the rules"),
    ("deny from 10.0.0.0/8\ndeny user any\ndeny port 1-2\nallow\n", [], None),
    # With one rule the built-in rules are gone.
    ("allow from 10.0.0.0/8\n", [], "end of the rules"),
    ("#\n", ["deny port 25"], "end of the rules"),
    ("# nothing\n\n", ["", "# nothing either"], None),
]:
    write(path, text)
    if rule:
        is_denied("8.8.8.8", listening, *options, file=path, rule=rule)
    else:
        is_served("8.8.8.8", listening, *options, file=path)
PY
}

@test "rules: without -f the default file is read; it may be missing, but no dangling link" {
    world <<'PY'
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
port = port_of(listening)
os.makedirs("/etc/stdsocks", exist_ok=True)
write("/etc/stdsocks/stdsocks.conf", "timeout idle 1h\ndeny to 8.8.8.8\nallow to any\n")
h = Handler(rules=(), ends=from_pair())
check(h.connect("8.8.8.8", port), 2)
h.refused(RULE="/etc/stdsocks/stdsocks.conf:2", REPLY="2")
is_served("8.8.8.8", port)  # with -f /dev/null
os.unlink("/etc/stdsocks/stdsocks.conf")
h = Handler(rules=(), ends=from_pair())
check(h.connect("10.0.0.1", port), 2)
h.refused(RULE="built-in 4")
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
h.terminate()  # it does not wait any longer for its refused client to close
h.over(78)
assert "/etc/stdsocks/stdsocks.conf: No such file or directory; " in h.said(), h.said()
PY
}

@test "rules: the line that the record of a refusal names allows just that request" {
    world <<'PY'
here("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "9.9.9.9", "fe80::5", "2001:db8::5")
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"], "inner6.test": ["fc00::1"],
                 "both.test": ["10.0.0.1", "127.0.0.1"]})
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
# host, port, options, file, by which rule, the end of the line
null, end = "/dev/null", "end of the rules"
refusals = [
    ("8.8.8.8", 25, [], null, "built-in 1", "8.8.8.8 port 25"),
    ("10.0.0.1", port, [], null, "built-in 4", f"10.0.0.1 port {port}"),
    ("0.0.0.0", port, [], null, "built-in 4", f"127.0.0.1 port {port}"),
    ("::", port, [], null, "built-in 4", f"::1 port {port}"),
    (b"127.0.0.1", port, [], null, "built-in 4", f"127.0.0.1 port {port}"),
    ("8.8.8.8", port, [], path, f"{path}:2", f"8.8.8.8 port {port}"),
    ("2606:4700::1", port, [], path, end, f"2606:4700::1 port {port}"),
    ("8.8.8.8", port, ["deny"], null, "-o", f"8.8.8.8 port {port}"),
    (b"public.test", port, [], path, f"{path}:2", f"public.test port {port}"),
    (b"Public.TEST.", port, ["deny"], null, "-o", f"Public.TEST. port {port}"),
    (b"inner.test", port, ["allow to .test"], null, end, f"inner.test at 10.0.0.1 port {port}"),
    (b"inner6.test", port, ["allow to public"], null, end, f"inner6.test at fc00::1 port {port}"),
]
for client, ends in clients.items():
    for host, to_port, rules, file, rule, line in refusals if client == "unix" else refusals[::4]:
        remedy = f"allow from {client} to {line}"
        more = {"file": file, "ends": ends()}
        record = is_denied(host, to_port, *rules, **more, rule=rule, remedy=remedy)
        check((record["END"], record["REPLY"], record["CLOSED_BY"]), ("refused", "2", "stdsocks"))
        is_served(host, to_port, remedy, *rules, file=file, ends=ends())
# It opens no more than that.
remedy = f"allow from unix to 10.0.0.1 port {port}"
for host, to_port, ends in ("8.8.8.8", port, from_pair), ("10.0.0.1", 80, from_pair), ("fc00::1", port, from_pair), \
        ("10.0.0.1", port, clients["10.0.0.1"]), (b"inner6.test", port, from_pair):
    is_denied(host, to_port, remedy, ends=ends(), rule="end of the rules")
# A name that was refused without a lookup and leads to a private address takes two lines.
server.asked.clear()
first = is_denied(b"inner.test", port, "deny")["REMEDY"]
check(server.asked, [])
second = is_denied(b"inner.test", port, first, rule="end of the rules")["REMEDY"]
check(second, f"allow from unix to inner.test at 10.0.0.1 port {port}")
is_served(b"inner.test", port, second, first)
# The line is for the address that a rule refused, not for the one that would be a loop.
own = listener("127.0.0.1")
own_port = port_of(own)
is_denied(b"both.test", own_port, "allow to both.test at loopback", ends=connection(own), rule=end,
          remedy=f"allow from 127.0.0.1 to both.test at 10.0.0.1 port {own_port}")
PY
}

@test "rules: a rule for a user holds for a client that has logged in under that name" {
    world <<'PY'
here("8.8.8.8", "9.9.9.9", "10.0.0.1")
listening, inner = listeners("8.8.8.8", "10.0.0.1")
port = port_of(listening)
alice, bob = known(b"alice", b"secret"), known(b"bob", b"hidden")
is_denied("8.8.8.8", port, *EITHER, ends=far(), rule="built-in 4")
check(is_served("8.8.8.8", port, *EITHER, ends=far(), said=alice)["USER"], "alice")
is_denied("8.8.8.8", 25, *EITHER, ends=far(), said=alice, rule="built-in 1")
for host in "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1":
    record = is_denied(host, port, *EITHER, ends=far(), said=alice, rule="built-in 4")
    check(record["USER"], "alice")
for rule, wanted in {
    "allow user alice": [alice], "allow user any": [alice, bob], "allow user Alice,ali": [],
    "allow user carol,bob": [bob],
}.items():
    for said in alice, bob, None:
        judge = is_served if said in wanted else is_denied
        judge("8.8.8.8", port, rule, *EITHER, ends=far(), said=said)
# A client without a login is no user, and no rule for users denies it.
is_served("8.8.8.8", port, "deny user any", "allow", ends=far())
is_denied("8.8.8.8", port, "deny user any", "allow", *EITHER, ends=far(), said=bob, rule="-o")
assert not is_waiting(inner)
PY
}

# -- Loops

@test "rules: the server's own listening address is refused with 02 under every name that it has" {
    world <<'PY'
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
    for host in hosts:
        client = socket.create_connection((to, port), DEADLINE_S)
        record = watch.denies(host, port, "allow to any", ends=(client, listening.accept()[0]))
        assert "RULE" not in record and "REMEDY" not in record, record
    assert not is_waiting(listening)
    listening.close()
PY
}

@test "rules: its own address is refused when it carries another, or is a network's second" {
    world <<'PY'
watch = Watch()
carriers = ["2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2606:4700::200:5efe:10.0.0.1",
            "2001:0:101:101::f7f7:f7f7", "64:ff9b::808:808"]
here(*carriers)
# The kernel goes to .6 from .5: the source does not tell that it is this host.
ip("address add 192.0.2.5/24 dev lo", "address add 192.0.2.6/24 dev lo",
   "route add local 10.78.0.0/16 dev lo src 192.0.2.5")
for own in *carriers, "192.0.2.5", "192.0.2.6", "10.78.7.8":
    listening = listener(own if ":" in own else "0.0.0.0")
    watch.denies(own, listening, "allow to any", ends=connection(listening.dup()))
    assert not is_waiting(listening), own
PY
}

@test "rules: another port, and the same port of another host, are no loop [ip_nonlocal_bind]" {
    world <<'PY'
wire = Wire()
listening = socket.create_server(("0.0.0.0", 0))
port = port_of(listening)
(other,) = listeners("127.0.0.1")
far = [wire.listener(host, port) for host in ("192.0.2.1", "2001:db8::1")]


def ends():
    client = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    return client, listening.accept()[0]


is_served("127.0.0.1", other, "allow to any", ends=ends())
# A client of AF_UNIX has come by no port.
is_served("127.0.0.1", other, "allow to any")
# The other host stays another host when any address can be bound here.
for nonlocal_bind in "0", "1":
    sysctl("ipv4/ip_nonlocal_bind", nonlocal_bind)
    sysctl("ipv6/ip_nonlocal_bind", nonlocal_bind)
    wire.syns.clear()
    for host in "192.0.2.1", "2001:db8::1":
        is_served(host, port, "allow to any", ends=ends())
    check(wire.tried(), ["192.0.2.1", "2001:db8::1"])
for host in "127.0.0.1", "192.0.2.200", "2001:db8::8000", "0.0.0.0":
    is_denied(host, port, "allow to any", ends=ends())
PY
}

# -- Clients

@test "rules: a client is of the class of its address, whatever address that carries" {
    world <<'PY'
clients = {
    ("127.9.9.9", None): "loopback", ("::1", None): "loopback", ("127.0.0.1", "::"): "loopback",
    ("10.1.2.3", "::"): "private", ("100.64.0.5", None): "private", ("fd00::5", None): "private",
    ("169.254.5.5", "::"): "link-local", ("fe80::5", None): "link-local",
    ("9.9.9.9", None): "public", ("9.9.9.9", "::"): "public", ("2606:4700::5", None): "public",
    # A client with such an address has chosen the address inside.
    ("2002:a00:1::5", None): "public", ("2606:4700::200:5efe:10.0.0.1", None): "public",
    ("64:ff9b::a00:1", None): None, ("2001::f5ff:fffe", None): None, ("203.0.113.5", "::"): None,
}
groups = "loopback", "private", "link-local", "public"
here(*{host for host, _ in clients if not host.startswith("127.") and host != "::1"}, "8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
for (host, to), its in clients.items():
    local = its in ("loopback", "private", "link-local")
    for rule, wanted in {
        **{f"allow from {group}": group == its for group in groups},
        "allow from unix,stdio": False,
        "allow from any": True,
        f"allow from {host}": True,
        "allow from 10.0.0.1,::2,unix:0": False,
        "allow from ::ffff:10.0.0.0/104": host == "10.1.2.3",  # RFC 4291 s2.5.5.2
        "": local,
    }.items():
        ends = from_ip(host, to, scope=1 if host.startswith("fe80") else 0)
        record = (is_served if wanted else is_denied)("8.8.8.8", listening, rule, ends=ends)
        check(record["CLIENT"], str(ipaddress.ip_address(host)))
PY
}

@test "rules: a client of AF_UNIX is the user that the kernel knows, one on pipes is stdio" {
    world <<'PY'
here("8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
port = port_of(listening)
makers = {"root": lambda: from_path(0), "nobody": lambda: from_path(65534), "nameless": lambda: from_path(54321),
          "abstract": lambda: from_path(65534, "\0stdsocks"), "pair": from_pair}
users = {"root": "root", "nobody": "nobody", "abstract": "nobody"}
for rule, wanted in {
    "from unix": {*makers},
    "from unix:0": {"root"},
    "from unix:65534": {"nobody", "abstract"},
    "from unix:54321": {"nameless"},
    "from unix:1,unix:4294967295": set(),
    "from unix:0,unix:65534": {"root", "nobody", "abstract"},
    "from stdio": {"pipes"}, "from any": {*makers, "pipes"},
    "from loopback,private,link-local,public,0.0.0.0/0,::/0": set(),
    # A user with a name in the system is that user, without a login.
    "user root": {"root"}, "user root,nobody": {*users}, "user any": {*users},
    "from unix:0 user root": {"root"}, "from unix:0 user nobody": set(),
}.items():
    for name, ends in makers.items():
        judge = is_served if name in wanted else is_denied
        record = judge("8.8.8.8", port, f"allow {rule}", ends=ends())
        check((name, record["CLIENT"], record.get("USER")), (name, "unix", users.get(name)))
    reply = 0 if "pipes" in wanted else 2
    check((rule, reply_on_pipes("8.8.8.8", port, f"allow {rule}")), (rule, reply))
# Without rules both are local.
for ends in makers.values():
    is_served("8.8.8.8", port, ends=ends())
    is_denied("127.0.0.1", port, ends=ends(), rule="built-in 4")
check(reply_on_pipes("8.8.8.8", port), 0)
check(reply_on_pipes("127.0.0.1", port), 2)
check(reply_on_pipes("8.8.8.8", 25), 2)
PY
}

@test "rules: a client of AF_VSOCK is in no class, and only \"any\" matches it" {
    "$PYTHON" - <<'PY' || skip 'this kernel leads AF_VSOCK nowhere' # no package brings it
import socket
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening, socket.socket(socket.AF_VSOCK) as client:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    client.settimeout(0.5)
    client.connect((1, listening.getsockname()[1]))
PY
    world <<'PY'
here("8.8.8.8")
(to,) = listeners("8.8.8.8")
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    for who in None, "any", "unix", "stdio", "loopback", "private", "link-local", "public", "0.0.0.0/0":
        client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        client.connect((1, listening.getsockname()[1]))
        spare, accepted = socket.socket(socket.AF_UNIX), listening.accept()[0]
        h = judged(*([f"allow from {who}"] if who else []), ends=(spare, accepted))
        h.client.sock = client
        check(h.connect("8.8.8.8", port_of(to)), 0 if who == "any" else 2)
        h.terminate()
        h.gone()
PY
}

# -- The configuration

@test "rules: no keyword but a rule makes a destination reachable" {
    world <<'PY'
watch = Watch()
here("8.8.8.8", "9.9.9.9", "10.0.0.1")
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"]})
listening = listeners("8.8.8.8", "10.0.0.1", "127.0.0.1", "::1")
port = port_of(listening[0])
mail = listeners("8.8.8.8", port=25)
either = "auth none password"
alice = [(b"\x05\x02\x00\x02", b"\x05\x02"), (login(b"alice", b"secret"), b"\x01\x00")]
configurations = [
    [], [""], ["# allow to any", "   ", "\t# x"], ["auth none"], [f"users {USERS}", "auth none"],
    EITHER, ["checkpassword /bin/true", either],
    ["timeout handshake 5s", "timeout connect 1s", "timeout idle none", "timeout lifetime none"],
    ["command connect"], ["version 5"], ["source 127.0.0.1"], ["source ::1"], ["source 10.0.0.1"],
    ["source device lo"], ["source mark 1"], ["rate up 1G"], ["rate down 1G", "rate up none"],
    [*EITHER, "timeout idle 1h", "command connect", "version 5", "source 10.0.0.1", "rate up 1G"],
]
inner = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", b"inner.test"]
local = [(from_pair, host, port) for host in inner] + [(from_pair, "8.8.8.8", 25)]
strange = [(far, host, port) for host in ("127.0.0.1", b"inner.test", "8.8.8.8", b"public.test")]
for rules in configurations:
    for ends, host, to_port in local + strange:
        pair = ends()
        watch.seen()
        is_denied(host, to_port, *rules, ends=pair)
        assert not (seen := watch.connects()), (rules, host, seen)
# A client that has logged in may reach public addresses, and no others.
for rules in [f"users {USERS}"], EITHER, ["checkpassword /bin/true"]:
    for ends, host, to_port in local + strange[:2] + [(far, "8.8.8.8", 25)]:
        is_denied(host, to_port, *rules, ends=ends(), said=alice)
assert not any(map(is_waiting, listening + mail))
PY
}

@test "rules: a broken configuration refuses every request with 01, and no packet leaves" {
    world <<'PY'
watch = Watch()
here("8.8.8.8")
server = Server({"public.test": ["8.8.8.8"]})
listening = listeners("8.8.8.8", "127.0.0.1")
port = port_of(listening[0])


def file(content, mode=0o644, path=None):
    path = path or tempfile.mktemp(dir=WORLD)
    with open(path, "wb") as out:
        out.write(content)
    os.chmod(path, mode)
    return path


os.mkdir("/etc/stdsocks")
users = file(b"alice:secret\n", 0o644)  # which everybody can read
weak = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
cases = [
    *({"file": "/dev/null", "rule": rule} for rule in (
        "nonsense", "Allow to any", "timeout idle", "allow to", "deny to 10.0.0.0/33",
        "deny port 9-8", "deny from unix:root", 'deny "', "auth password", "auth none password",
        f"users {users}", "users /nowhere/users", "checkpassword /nowhere/program")),
    *({"file": path} for path in (
        file(b"allow to any\nallow\tto any\nnonsense 1\n"), file(b"allow to any\n\0\n"),
        file(b"allow to any\n" + b"#" * 1025 + b"\n"), file(b"allow to any\n" * 4097),
        file(b"allow to any\n" + b"#\n" * (1 << 19)), file(b"allow to any\n", 0o646),
        file(b"", 0o602), "/nowhere/stdsocks.conf", "/etc", "")),
    {"file": file(b"allow to any\n", 0o000), "before": weak},
]


def ended_broken(h, **fields):
    """The status is 78, the record has these fields, and nothing went out; standard error."""
    h.gone(78)
    assert not (seen := watch.seen()), seen
    said = h.said()
    check(said.count("\nSTDSOCKS_END="), 1)
    has(h.record(), CLOSED_BY="stdsocks", **fields)
    os.unlink(h.log)
    return said


def ask(h, host, greeting=GREETING):
    h.client.send(greeting)
    check(h.client.recv(2), CHOSEN)
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    h.asked_s = 0
    check(h.answer(), 1)
    check(h.client.end(), (b"", "fin"))
    dst = host if isinstance(host, str) else host.decode()
    return ended_broken(h, END="failed", REPLY="1", DST=dst, RULE=None, REMEDY=None, REACHED=None)


# A file that its group can write to is read.
for mode in 0o664, 0o600:
    is_served("8.8.8.8", listening[0], file=file(b"allow to any\n", mode))
    watch.seen()
    assert is_waiting(listening[0])
for case in cases:
    print("case", case)
    more = {"file": case["file"], "before": case.get("before", ())}
    rules = "allow to any", *([case["rule"]] if "rule" in case else [])
    for host in "8.8.8.8", "127.0.0.1", b"public.test":
        ask(judged(*rules, **more), host)
    ask(judged(*rules, **more), "8.8.8.8", b"\x05\x03\x01\x02\x00")
    h = judged(*rules, **more)
    h.client.send(b"\x05\x01\x02")
    check(h.client.recv(2), b"\x05\x02")
    h.client.send(b"\x01\x01a\x01b")
    check(h.client.end(), (b"\x01\x01", "fin"))
    ended_broken(h, REPLY=None)
# The same holds for the default file.
default = "/etc/stdsocks/stdsocks.conf"
for setup, said in (
    (lambda: file(b"allow to any\nnonsense\n", 0o644, default), "unknown keyword"),
    (lambda: file(b"allow to any\n", 0o666, default), "all users can write to it; run chmod o-w"),
    (lambda: os.mkdir(default), "Is a directory; "),
):
    setup()
    h = Handler(rules=(), ends=from_pair())
    assert re.search(f"{default}:.*{said}", ask(h, "8.8.8.8")), said
    (os.rmdir if os.path.isdir(default) else os.unlink)(default)
check(server.asked, [])
assert not any(map(is_waiting, listening))
PY
}
