#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Access rules on real connections: which client may reach which destination, and that no packet
# leaves before the decision. tests/unit/{rule,rules,special}.c prove the grammar, the evaluation
# and the classes of addresses exhaustively; this suite has examples.

load helper
load net/world

prelude <<'PY'
import ipaddress, os, re, socket, struct, tempfile

from dns import Dnsmasq, Server, answer, broken, question
from rules import PUBLIC, Watch, asks, forbidden, from_ip, from_pair, from_path, here, is_denied
from rules import configured, is_served, reply_on_pipes, tries
from socks import CHOSEN, DEADLINE_S, GREETING, check, listener, login, request, request_name
from wire import Wire
from world import CLOSED_PORT, Handler, WORLD, connection, check_fields, ip, is_waiting, listeners
from world import mount
from world import port_of, sysctl, there, write

USERS = f"{WORLD}/users"
EITHER = [f"users {USERS}", "auth none password"]
write(USERS, "alice:secret\nbob:hidden\n")
os.chmod(USERS, 0o600)


def known(name, password):
    """A login, for the argument PREFIX of is_served() and is_denied()."""
    return [(b"\x05\x01\x02", b"\x05\x02"), (login(name, password), b"\x01\x00")]


def far():
    """A client with a public address."""
    return from_ip("9.9.9.9")
PY

setup() {
    umask 022 # or the handler takes no configuration of a test
    need_world
    need_wire
}

# -- The built-in rules

@test "rules: the built-in rules deny addresses that are not public, and names at them" {
    world <<'PY'
watch = Watch()
for host in forbidden():
    for form in host, host.encode():
        watch.denies(form, 80, rule="built-in 4")
for host in "2001:DB8::1", "0:0:0:0:0:FFFF:127.0.0.1", "::FFFF:7F00:1", \
        "0000:0000:0000:0000:0000:0000:0000:0001":
    watch.denies(host.encode(), 80, rule="built-in 4")
# An IPv4-mapped public address is allowed, but unreachable (RFC 4291 s2.5.5.2).
check(asks("::ffff:8.8.8.8", 80)[0], 3)
check(watch.seen(), [])
# A name is looked up, and its address is not connected to.
names = {f"n{i}.test": host for i, host in enumerate(forbidden())}
server = Server({name: [host] for name, host in names.items()})
for name, host in names.items():
    record = is_denied(name.encode(), 80, rule="built-in 4")
    check(record["DST"], name)
    assert not (seen := watch.connects()), (host, seen)
# If the rules allow them, a packet leaves to each address, except for those that the kernel
# refuses.
missed = []
for host in forbidden():
    tries(host, 80, "allow to any")
    if not watch.connects():
        missed.append(host)
kernel_refuses = ("::ffff:", "fe", "ff", "22", "23", "255.", "0.", "127.255.255.255", "127.0.0.0")
assert all(host.startswith(kernel_refuses) for host in missed), missed
assert len(missed) < 18, missed
PY
}

@test "rules: numbers that only some programs take for an address get 04 without a query" {
    world <<'PY'
watch = Watch()
names = [
    "127.1", "127.0.1", "0x7f000001", "2130706433", "017700000001", "0", "0x0", "10.1",
    "0177.0.0.1", "127.0.0.1.",
    "::1%lo", "fe80::1%1", "[::1]", "127.0.0.0x1", "127.000.000.001",
]
for name in names:
    for rules in [], ["allow to any"]:
        reply, record = asks(name.encode(), 80, *rules)
        check((name, reply, record.get("RULE")), (name, 4, None))
check(watch.seen(), [])
PY
}

@test "rules: the built-in rules allow a local client public addresses, and names at them" {
    world <<'PY'
watch = Watch()
there(*PUBLIC)
server = Server({f"n{i}.test": [host] for i, host in enumerate(PUBLIC)})
for i, host in enumerate(PUBLIC):
    (listening,) = listeners(host)
    for form in host, host.encode(), f"n{i}.test".encode():
        is_served(form, listening, reached=str(ipaddress.ip_address(host)))
        assert is_waiting(listening), host
        check(watch.connects(), [f"tcp {ipaddress.ip_address(host)} {port_of(listening)}"])
    listening.close()
PY
}

@test "rules: the built-in rules deny everything to a client that is not local" {
    world <<'PY'
watch = Watch()
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"]})
clients = "9.9.9.9", "2606:4700::1", "203.0.113.5", "2001:db8::5", "64:ff9b::a00:1"
here(*clients)
there("8.8.8.8")
listening = listeners("8.8.8.8", "2606:4700::1", "127.0.0.1", "::1")
hosts = ["8.8.8.8", "2606:4700::1", "127.0.0.1", b"public.test", b"inner.test", b"8.8.8.8"]
for client in clients:
    for host in hosts:
        watch.denies(host, listening[0], ends=from_ip(client), rule="built-in 4")
assert not any(map(is_waiting, listening))
check(server.queries, [])
PY
}

@test "rules: the built-in rules deny port 25 without a lookup" {
    world <<'PY'
watch = Watch()
server = Server({"mail.test": ["8.8.8.8"]})
there("8.8.8.8")
(listening,) = listeners("8.8.8.8", port=25)
for host in "8.8.8.8", b"8.8.8.8", b"mail.test", b"MAIL.test.", "10.0.0.1", "127.0.0.1":
    is_denied(host, 25, rule="built-in 1")
check(server.queries, [])
check(watch.seen(), [])
is_served("8.8.8.8", 25, "allow port 25")
PY
}

# -- Names

@test "rules: a name is resolved once, and only evaluated addresses are connected to" {
    world <<'PY'


def changing(*answers):
    """The n-th question of each type gets the n-th answer."""
    given = {}

    def send(server, query, asker):
        kind = question(query)[1]
        given[kind] = given.get(kind, -1) + 1
        server.sock.sendto(answer(query, answers[min(given[kind], len(answers) - 1)]), asker)

    return send


watch = Watch()
there("8.8.8.8", "10.0.0.1")
server = Server({
    "good-first.test": changing(["8.8.8.8"], ["127.0.0.1", "::1"]),
    "bad-first.test": changing(["127.0.0.1"], ["8.8.8.8"]),
    "inner.test": changing(["10.0.0.1"], ["127.0.0.1"]),
})
good, *bad = listening = listeners("8.8.8.8", "127.0.0.1", "::1", "10.0.0.1")
is_served(b"good-first.test", good, reached="8.8.8.8")
assert is_waiting(good) and not any(map(is_waiting, bad))
check(sorted(server.queries), ["A good-first.test", "AAAA good-first.test"])
check(watch.connects(), [f"tcp 8.8.8.8 {port_of(good)}"])
server.queries.clear()

is_denied(b"bad-first.test", good)
check(sorted(server.queries), ["A bad-first.test", "AAAA bad-first.test"])
check(watch.connects(), [])

is_served(b"inner.test", good, "allow to inner.test at 10.0.0.0/8", reached="10.0.0.1")
is_denied(b"inner.test", good, "allow to inner.test at 10.0.0.0/8", rule="end of the rules")
assert not any(map(is_waiting, (good, *bad[:2])))
PY
}

@test "rules: only the allowed addresses of a name are tried" {
    world <<'PY'
watch = Watch()
bad = ["127.0.0.1", "::1", "10.0.0.1", "fc00::1", "2002:7f00:1::1", "192.168.0.1"]
good = ["8.8.8.8", "2606:4700::1"]
there("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "192.168.0.1")
server = Server({
    "mixed.test": [*bad[:3], good[0], *bad[3:], good[1]],
    "dead.test": ["127.0.0.1", "8.8.4.4", "::1"],
    "bad.test": bad,
})
denied = listeners("127.0.0.1", "::1", "10.0.0.1", "fc00::1", "192.168.0.1")
port = port_of(denied[0])
allowed = listeners(*good, port=port)
record = is_served(b"mixed.test", port)
assert record["REACHED"] in good, record
seen = watch.connects()
assert seen and not set(seen) - {f"tcp {host} {port}" for host in good}, seen

# If no host listens, all allowed addresses are tried, and no others.
for sock in allowed:
    sock.close()
reply, record = asks(b"mixed.test", port)
assert reply == 5 and "RULE" not in record, record
check(sorted(watch.connects()), sorted(f"tcp {host} {port}" for host in good))

there("8.8.4.4")
check(asks(b"dead.test", port)[0], 5)
check(watch.connects(), [f"tcp 8.8.4.4 {port}"])

record = is_denied(b"bad.test", port, rule="built-in 4")
check(watch.connects(), [])
assert not any(map(is_waiting, denied))
PY
}

@test "rules: an alias is evaluated by the address that it leads to [RFC 1034 3.6.2]" {
    need dnsmasq
    world <<'PY'
watch = Watch()
there("8.8.8.8")
server = Dnsmasq("--cname=inner.test,deep.test", "--cname=deep.test,loop.test",
                 "--cname=outer.test,public.test",
                 hosts=["127.0.0.1 loop.test", "::1 loop.test", "8.8.8.8 public.test"])
(bad, good) = listeners("127.0.0.1", "8.8.8.8")
is_denied(b"inner.test", bad, rule="built-in 4")
is_denied(b"inner.test", bad, "allow to inner.test", rule="end of the rules")
is_served(b"outer.test", good, reached="8.8.8.8")
# A rule for a name does not match a request for its alias.
is_denied(b"outer.test", good, "allow to public.test", rule="end of the rules")
is_served(b"outer.test", good, "deny to public.test", "allow to any")
assert not is_waiting(bad)
check([packet for packet in watch.connects() if "8.8.8.8" not in packet], [])
PY
    world <<'PY'


def to_localhost(records):
    """An alias to "localhost", with these records for it."""

    def change(query, right):
        count = struct.pack(">H", 1 + len(records))
        end = query.index(0, 12) + 5  # behind the question; the query may have more records
        alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 11) + b"\x09localhost\0"
        yield right[:6] + count + right[8:12] + query[12:end] + alias + b"".join(records)

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
# A name of this host is evaluated in the same way.
is_denied(b"localhost", listening, rule="built-in 4")
is_denied(b"localhost", listening, "allow to localhost", rule="end of the rules")
is_served(b"localhost", listening, "allow to localhost at loopback")
PY
}

@test "rules: tries only the allowed one of a thousand addresses of a name" {
    need dnsmasq
    world <<'PY'
watch = Watch()
there("8.8.8.8")
many = [f"127.{i // 250}.{i % 250}.9" for i in range(1, 1001)]
write("/etc/hosts", "".join(f"{host} many.test\n" for host in many) +
      "8.8.8.8 one.test\n" + "".join(f"{host} one.test\n" for host in many))
server = Dnsmasq(hosts=[f"{host} remote.test" for host in many])
bad, _ = listeners("0.0.0.0", "8.8.8.8")
is_denied(b"many.test", bad, rule="built-in 4")
is_served(b"one.test", bad, reached="8.8.8.8")
check([packet for packet in watch.connects() if packet.split()[1] != "8.8.8.8"], [])
# The answer does not fit a datagram. Whether it is read or not, no address is connected to.
reply, record = asks(b"remote.test", bad, "timeout handshake 2s")
assert reply in (2, 4) and "REACHED" not in record, (reply, record)
check([packet for packet in watch.connects() if packet != "tcp 127.0.0.1 53"], [])  # a DNS query
PY
}

@test "rules: a name that is denied for every address is not looked up" {
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
check(server.queries, [])
# A name is looked up if the rules allow some addresses.
is_denied(b"name.test", 80, "deny to 8.8.8.0/24", "allow to any", rule="-o")
check(sorted(server.queries), ["A name.test", "AAAA name.test"])
PY
}

@test "rules: a rule matches a name by labels, at public addresses or those of \"at\" [RFC 4343]" {
    world <<'PY'
watch = Watch()
table = {
    "public.test": "8.8.8.8", "a.public.test": "2606:4700::1", "evilpublic.test": "8.8.8.8",
    "private.test": "10.0.0.1", "private6.test": "fc00::1", "loopback.test": "127.0.0.1",
    "link-local.test": "169.254.169.254", "special.test": "198.18.0.1",
}
there(*({*table.values()} - {"127.0.0.1"}))
server = Server({name: [host] for name, host in table.items()})
listening = {host: listeners(host)[0] for host in table.values()}
public = {name for name in table if "public" in name}
for rule, allowed in {
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
        for form in name, name.upper() + ".":
            if name in allowed:
                is_served(form.encode(), listening[host], rule, reached=host)
            else:
                is_denied(form.encode(), listening[host], rule, rule="end of the rules")
            assert is_waiting(listening[host]) == (name in allowed), (rule, form)
is_denied(b"PUBLIC.test.", listening["8.8.8.8"], "deny to public.test", "allow to any", rule="-o")
# A rule for a name does not match an address.
for host in "8.8.8.8", b"8.8.8.8":
    is_denied(host, listening["8.8.8.8"], "allow to public.test", rule="end of the rules")
PY
}

# -- The deciding rule, and the suggested rule

@test "rules: the first rule that matches decides, -o in order before the file" {
    world <<'PY'
there("8.8.8.8")
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
    # A configuration with a rule has no built-in rules.
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

@test "rules: without -f the default file is read; it may be missing, but not a dangling link" {
    world <<'PY'
there("8.8.8.8")
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
write("/etc/passwd", users)  # has the user that root becomes
check(Handler().connect("127.0.0.1", CLOSED_PORT), 5)
os.mkdir("/etc/stdsocks")
check(Handler().connect("127.0.0.1", CLOSED_PORT), 5)
os.symlink("missing", "/etc/stdsocks/stdsocks.conf")
h = Handler()
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
h.terminate()  # instead of waiting for the client to close
h.wait_exit(78)
assert "/etc/stdsocks/stdsocks.conf: No such file or directory; " in h.log_text(), h.log_text()
PY
}

@test "rules: the suggested rule of a denial allows exactly that request" {
    world <<'PY'
here("9.9.9.9", "10.0.0.7", "fe80::5", "2001:db8::5")
there("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1")
server = Server({"public.test": ["8.8.8.8"], "inner.test": ["10.0.0.1"], "inner6.test": ["fc00::1"],
                 "both.test": ["10.0.0.1", "127.0.0.1"]})
listening = listeners("8.8.8.8", "2606:4700::1", "10.0.0.1", "fc00::1", "127.0.0.1", "::1")
port = port_of(listening[0])
mail = listeners("8.8.8.8", port=25)
path = f"{WORLD}/rules"
write(path, "allow to 1.1.1.1\ndeny to 8.8.8.8\nallow to 8.8.8.8\n")
clients = {
    "unix": from_pair, "unix:0": lambda: from_path(0), "unix:65534": lambda: from_path(65534),
    "127.0.0.1": lambda: from_ip("127.0.0.1"), "::1": lambda: from_ip("::1"),
    "9.9.9.9": lambda: from_ip("9.9.9.9"),
    "10.0.0.7": lambda: from_ip("10.0.0.7", "::"), "fe80::5": lambda: from_ip("fe80::5", scope=1),
    "2001:db8::5": lambda: from_ip("2001:db8::5"),
}
# host, port, options, file, deciding rule, end of the suggested rule
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
        suggestion = f"allow from {client} to {line}"
        more = {"file": file, "ends": ends()}
        record = is_denied(host, to_port, *rules, **more, rule=rule, suggestion=suggestion)
        check((record["END"], record["REPLY"], record["CLOSED_BY"]), ("refused", "2", "stdsocks"))
        is_served(host, to_port, suggestion, *rules, file=file, ends=ends())
# It allows no other request.
suggestion = f"allow from unix to 10.0.0.1 port {port}"
for host, to_port, ends in ("8.8.8.8", port, from_pair), ("10.0.0.1", 80, from_pair), \
        ("fc00::1", port, from_pair), ("10.0.0.1", port, clients["10.0.0.7"]), \
        (b"inner6.test", port, from_pair):
    is_denied(host, to_port, suggestion, ends=ends(), rule="end of the rules")
# A name that is denied without a lookup and has a private address needs two lines.
server.queries.clear()
first = is_denied(b"inner.test", port, "deny")["REMEDY"]
check(server.queries, [])
second = is_denied(b"inner.test", port, first, rule="end of the rules")["REMEDY"]
check(second, f"allow from unix to inner.test at 10.0.0.1 port {port}")
is_served(b"inner.test", port, second, first)
# The line is for the address that a rule denies, not for the proxy's own address.
own = listener("127.0.0.1")
own_port = port_of(own)
is_denied(b"both.test", own_port, "allow to both.test at loopback", ends=connection(own), rule=end,
          suggestion=f"allow from 127.0.0.1 to both.test at 10.0.0.1 port {own_port}")
PY
}

@test "rules: a rule for a user matches a client that has logged in under that name" {
    world <<'PY'
here("9.9.9.9")
there("8.8.8.8", "10.0.0.1")
listening, inner = listeners("8.8.8.8", "10.0.0.1")
port = port_of(listening)
alice, bob = known(b"alice", b"secret"), known(b"bob", b"hidden")
is_denied("8.8.8.8", port, *EITHER, ends=far(), rule="built-in 4")
check(is_served("8.8.8.8", port, *EITHER, ends=far(), prefix=alice)["USER"], "alice")
is_denied("8.8.8.8", 25, *EITHER, ends=far(), prefix=alice, rule="built-in 1")
for host in "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1":
    record = is_denied(host, port, *EITHER, ends=far(), prefix=alice, rule="built-in 4")
    check(record["USER"], "alice")
for rule, allowed in {
    "allow user alice": [alice], "allow user any": [alice, bob], "allow user Alice,ali": [],
    "allow user carol,bob": [bob],
}.items():
    for prefix in alice, bob, None:
        verify = is_served if prefix in allowed else is_denied
        verify("8.8.8.8", port, rule, *EITHER, ends=far(), prefix=prefix)
# A rule for users does not match a client without a login.
is_served("8.8.8.8", port, "deny user any", "allow", ends=far())
is_denied("8.8.8.8", port, "deny user any", "allow", *EITHER, ends=far(), prefix=bob, rule="-o")
assert not is_waiting(inner)
PY
}

# -- Loops

@test "rules: the proxy's own listening address is refused with 02 under each of its names" {
    world <<'PY'
watch = Watch()
here("8.8.8.8", "10.0.0.1", "2606:4700::1", "fc00::1")
names = ["127.0.0.1 localhost", "10.0.0.1 me.test", "2606:4700::1 me6.test", "127.0.0.1 both.test",
         "::1 both.test"]
write("/etc/hosts", "".join(line + "\n" for line in names))
hosts = [
    "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "8.8.8.8", "10.0.0.1", "2606:4700::1",
    "fc00::1",
    "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2002:808:808::1", b"127.0.0.1", b"::1", b"0.0.0.0", b"localhost", b"me.test", b"me6.test",
    b"both.test",
]
for address in "0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1":
    listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if address == "::":
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((address, 0))
    listening.listen()
    port = port_of(listening)
    to = address if address not in ("0.0.0.0", "::") else "127.0.0.1"
    for host in hosts:
        client = socket.create_connection((to, port), DEADLINE_S)
        record = watch.denies(host, port, "allow to any", ends=(client, listening.accept()[0]))
        assert "RULE" not in record and "REMEDY" not in record, record
    assert not is_waiting(listening)
    listening.close()
PY
}

@test "rules: its own address is refused if it embeds another, or is secondary in its network" {
    world <<'PY'
watch = Watch()
embedding = ["2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2606:4700::200:5efe:10.0.0.1",
             "2001:0:101:101::f7f7:f7f7", "64:ff9b::808:808"]
here(*embedding)
# Connections to .6 have the source .5, so the source address does not show that .6 is this host's.
ip("address add 192.0.2.5/24 dev lo", "address add 192.0.2.6/24 dev lo",
   "route add local 10.78.0.0/16 dev lo src 192.0.2.5")
for own in *embedding, "192.0.2.5", "192.0.2.6", "10.78.7.8":
    listening = listener(own if ":" in own else "0.0.0.0")
    watch.denies(own, listening, "allow to any", ends=connection(listening.dup()))
    assert not is_waiting(listening), own
PY
}

@test "rules: other ports, and the same port of another host, are not refused [ip_nonlocal_bind]" {
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
# For a client on AF_UNIX, no port is the proxy's own.
is_served("127.0.0.1", other, "allow to any")
# With ip_nonlocal_bind any address can be bound, but the other host's address is not this host's.
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

@test "rules: a client is in the class of its own address, not of an embedded one" {
    world <<'PY'
clients = {
    ("127.9.9.9", None): "loopback", ("::1", None): "loopback", ("127.0.0.1", "::"): "loopback",
    ("10.1.2.3", "::"): "private", ("100.64.0.5", None): "private", ("fd00::5", None): "private",
    ("169.254.5.5", "::"): "link-local", ("fe80::5", None): "link-local",
    ("9.9.9.9", None): "public", ("9.9.9.9", "::"): "public", ("2606:4700::5", None): "public",
    # The client itself chooses the embedded address, so that does not determine the class.
    ("2002:a00:1::5", None): "public", ("2606:4700::200:5efe:10.0.0.1", None): "public",
    ("64:ff9b::a00:1", None): None, ("2001::f5ff:fffe", None): None, ("203.0.113.5", "::"): None,
}
groups = "loopback", "private", "link-local", "public"
here(*{host for host, _ in clients if not host.startswith("127.") and host != "::1"})
there("8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
for (host, to), own_group in clients.items():
    local = own_group in ("loopback", "private", "link-local")
    for rule, is_allowed in {
        **{f"allow from {group}": group == own_group for group in groups},
        "allow from unix,stdio": False,
        "allow from any": True,
        f"allow from {host}": True,
        "allow from 10.0.0.1,::2,unix:0": False,
        "allow from ::ffff:10.0.0.0/104": host == "10.1.2.3",  # RFC 4291 s2.5.5.2
        "": local,
    }.items():
        ends = from_ip(host, to, scope=1 if host.startswith("fe80") else 0)
        record = (is_served if is_allowed else is_denied)("8.8.8.8", listening, rule, ends=ends)
        check(record["CLIENT"], str(ipaddress.ip_address(host)))
PY
}

@test "rules: a client on AF_UNIX is the user that the kernel reports, and one on pipes is stdio" {
    world <<'PY'
there("8.8.8.8")
(listening,) = listeners("8.8.8.8")
listening.listen(1000)
port = port_of(listening)
makers = {"root": lambda: from_path(0), "nobody": lambda: from_path(65534),
          "nameless": lambda: from_path(54321),
          "abstract": lambda: from_path(65534, "\0stdsocks"), "pair": from_pair}
users = {"root": "root", "nobody": "nobody", "abstract": "nobody"}
for rule, allowed in {
    "from unix": {*makers},
    "from unix:0": {"root"},
    "from unix:65534": {"nobody", "abstract"},
    "from unix:54321": {"nameless"},
    "from unix:1,unix:4294967295": set(),
    "from unix:0,unix:65534": {"root", "nobody", "abstract"},
    "from stdio": {"pipes"}, "from any": {*makers, "pipes"},
    "from loopback,private,link-local,public,0.0.0.0/0,::/0": set(),
    # A client whose user has a name needs no login.
    "user root": {"root"}, "user root,nobody": {*users}, "user any": {*users},
    "from unix:0 user root": {"root"}, "from unix:0 user nobody": set(),
}.items():
    for name, ends in makers.items():
        verify = is_served if name in allowed else is_denied
        record = verify("8.8.8.8", port, f"allow {rule}", ends=ends())
        check((name, record["CLIENT"], record.get("USER")), (name, "unix", users.get(name)))
    reply = 0 if "pipes" in allowed else 2
    check((rule, reply_on_pipes("8.8.8.8", port, f"allow {rule}")), (rule, reply))
# For the built-in rules, AF_UNIX and stdio are local.
for ends in makers.values():
    is_served("8.8.8.8", port, ends=ends())
    is_denied("127.0.0.1", port, ends=ends(), rule="built-in 4")
check(reply_on_pipes("8.8.8.8", port), 0)
check(reply_on_pipes("127.0.0.1", port), 2)
check(reply_on_pipes("8.8.8.8", 25), 2)
PY
}

@test "rules: a client on AF_VSOCK is in no class, and only \"any\" matches it" {
    "$PYTHON" - <<'PY' || skip 'this kernel has no vsock_loopback'
import socket
with socket.socket(socket.AF_VSOCK,
                   socket.SOCK_STREAM) as listening, socket.socket(socket.AF_VSOCK) as client:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    client.settimeout(0.5)
    client.connect((1, listening.getsockname()[1]))
PY
    world <<'PY'
there("8.8.8.8")
(to,) = listeners("8.8.8.8")
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening:
    listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listening.listen()
    for group in None, "any", "unix", "stdio", "loopback", "private", "link-local", "public", \
            "0.0.0.0/0":
        client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        client.connect((1, listening.getsockname()[1]))
        spare, accepted = socket.socket(socket.AF_UNIX), listening.accept()[0]
        h = configured(*([f"allow from {group}"] if group else []), ends=(spare, accepted))
        h.client.sock = client
        check(h.connect("8.8.8.8", port_of(to)), 0 if group == "any" else 2)
        h.terminate()
        h.close_client()
PY
}

# -- The configuration

@test "rules: no keyword except a rule makes a destination reachable" {
    world <<'PY'
watch = Watch()
here("9.9.9.9", "10.0.0.7")
there("8.8.8.8", "10.0.0.1")
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
    ["command connect"], ["version 5"], ["source 127.0.0.1"], ["source ::1"], ["source 10.0.0.7"],
    ["source device lo"], ["source mark 1"], ["rate up 1G"], ["rate down 1G", "rate up none"],
    [*EITHER, "timeout idle 1h", "command connect", "version 5", "source 10.0.0.7", "rate up 1G"],
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
# With a login the built-in rules allow public addresses, and no others.
for rules in [f"users {USERS}"], EITHER, ["checkpassword /bin/true"]:
    for ends, host, to_port in local + strange[:2] + [(far, "8.8.8.8", 25)]:
        is_denied(host, to_port, *rules, ends=ends(), prefix=alice)
assert not any(map(is_waiting, listening + mail))
PY
}

@test "rules: an error in the configuration gives every request reply 01, and no packet leaves" {
    world <<'PY'
watch = Watch()
there("8.8.8.8")
server = Server({"public.test": ["8.8.8.8"]})
listening = listeners("8.8.8.8", "127.0.0.1")
port = port_of(listening[0])


def file(content, mode=0o644, path=None):
    path = path or tempfile.mktemp(dir=WORLD)
    with open(path, "wb") as out:
        out.write(content)
    os.chmod(path, mode)
    return path


os.makedirs("/etc/stdsocks", exist_ok=True)
users = file(b"alice:secret\n", 0o644)  # readable for all users, which is an error
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
    """Check status 78 and the record, and that no packet has left. Returns standard error."""
    h.close_client(78)
    assert not (seen := watch.seen()), seen
    text = h.log_text()
    check(text.count("\nSTDSOCKS_END="), 1)
    check_fields(h.record(), CLOSED_BY="stdsocks", **fields)
    os.unlink(h.log)
    return text


def ask(h, host, greeting=GREETING):
    h.client.send(greeting)
    check(h.client.recv(2), CHOSEN)
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    check(h.read_reply(), 1)
    check(h.client.end(), (b"", "fin"))
    dst = host if isinstance(host, str) else host.decode()
    return ended_broken(h, END="failed", REPLY="1", DST=dst, RULE=None, REMEDY=None, REACHED=None)


# A file that its group can write to is accepted.
for mode in 0o664, 0o600:
    is_served("8.8.8.8", listening[0], file=file(b"allow to any\n", mode))
    watch.seen()
    assert is_waiting(listening[0])
for case in cases:
    print("case", case)
    more = {"file": case["file"], "before": case.get("before", ())}
    rules = "allow to any", *([case["rule"]] if "rule" in case else [])
    for host in "8.8.8.8", "127.0.0.1", b"public.test":
        ask(configured(*rules, **more), host)
    ask(configured(*rules, **more), "8.8.8.8", b"\x05\x03\x01\x02\x00")
    h = configured(*rules, **more)
    h.client.send(b"\x05\x01\x02")
    check(h.client.recv(2), b"\x05\x02")
    h.client.send(b"\x01\x01a\x01b")
    check(h.client.end(), (b"\x01\x01", "fin"))
    ended_broken(h, REPLY=None)
# Errors in the default file have the same result.
default = "/etc/stdsocks/stdsocks.conf"
for setup, message in (
    (lambda: file(b"allow to any\nnonsense\n", 0o644, default), "unknown keyword"),
    (lambda: file(b"allow to any\n", 0o666, default), "all users can write to it; run chmod o-w"),
    (lambda: os.mkdir(default), "Is a directory; "),
):
    setup()
    h = Handler(rules=(), ends=from_pair())
    assert re.search(f"{default}:.*{message}", ask(h, "8.8.8.8")), message
    (os.rmdir if os.path.isdir(default) else os.unlink)(default)
check(server.queries, [])
assert not any(map(is_waiting, listening))
PY
}
