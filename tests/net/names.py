# SPDX-License-Identifier: ISC
"""Situations of name resolution: what the name servers answer, and what a client then gets."""

import threading
from collections import Counter

from bind import request4
from datagrams import udp
from dns import FORMERR, NOTIMP, NXDOMAIN, QR, RD, REFUSED, SERVFAIL, TC, Server
from dns import answer, asked, broken, message, nodata, respond, silent, truncated
from dns import without_edns, zone
from socks import CHOSEN, GREETING, check, request_name
from udp import Association
from world import Handler, eventually, listeners, port_of, write
from zone import ERRORS, FOUR, NO_ANSWER, NO_NAME, SIX, UNANSWERED

WRONG = "127.0.0.66"  # of answers that must not be used
REASONS = NO_NAME, NO_ANSWER, ERRORS, UNANSWERED
RESOLVE = 0xF0


# Values of the servers' tables


def of_type(four, six):
    """Sends FOUR as the answer for A, and SIX for AAAA."""

    def send(_, query, __):
        respond(query, four if query.type == "A" else six)

    return send


def behind(*wrong):
    """Sends messages that are no answer, each the result of a function of the query; then the
    right answer."""
    return broken(lambda query, right: [*(make(query) for make in wrong), right])


def wrong_id(query):
    return bytes([query[0] ^ 1]) + answer(query, [WRONG])[1:]


def wrong_name(query):
    changed = query.replace(b"\x04test\0", b"\x04tesu\0")
    return answer(changed, [WRONG])


def wrong_type(query):
    return message(query, questions=[asked(query)[:-4] + b"\0\x0c\0\1"])


def two_questions(query):
    return message(query, questions=[asked(query)] * 2)


def no_question(query):
    return message(query, questions=[])


def is_query(query):
    right = answer(query, [WRONG])
    return right[:2] + bytes([right[2] & 0x7F]) + right[3:]


def other_opcode(query):
    return message(query, flags=QR | RD | 0x2000)


def from_elsewhere(_, query, __):
    """Sends answers from another port and from another address of the server, and then the right
    one."""
    for source in (FOUR, 0), ("127.0.0.88", 53):
        with udp(*source) as other:
            other.sendto(answer(query, [WRONG]), query.source)
    query.send(answer(query, [FOUR]))


def in_capitals(_, query, __):
    right = answer(query, [FOUR])
    query.send(right[:12] + right[12:].upper())


def chain(links, order=1):
    """Sends this number of CNAME records and the address at their end."""
    names = ["@.test", *(f"c{i}.@.test" for i in range(links))]
    rows = [(owner, "CNAME", name) for owner, name in zip(names, names[1:])]
    return zone(*[*rows, (names[-1], "A", FOUR)][::order])


def referral(_, query, __):
    """A server without recursion answers with neither records nor authority (RFC 1034 s4.3.1)."""
    query.send(message(query, flags=QR | RD))


OPT = b"\0\0\x29\4\xd0\0\0\0\0\0\0"  # RFC 6891 s6.1.2


def echoes_edns(value):
    """Rejects queries with EDNS by FORMERR, with the OPT record of the query."""

    def send(_, query, __):
        if query.has_edns:
            query.send(message(query, rcode=FORMERR, additional=[OPT]))
        else:
            respond(query, value)

    return send


MANY = [f"10.{i // 250}.{i % 250}.1" for i in range(3999)]
RIGHT = {"@.test": [FOUR]}
NONE = {"@.test": NXDOMAIN}
QUICK = "timeout:1 attempts:1"


def bad_family(value):
    """IPv4 has an address, and this is the answer for IPv6."""
    return {"tables": [{"@.test": of_type([FOUR], value)}], "finds": FOUR}


def rejected(value):
    """The first server answers with this, and the second has an address."""
    return {"tables": [{"@.test": value}, RIGHT], "finds": FOUR,
            "queries": ["1 A @.test", "1 AAAA @.test", "2 A @.test", "2 AAAA @.test"]}


def ignored(*wrong):
    """Messages that are no answer arrive before the answer."""
    return {"tables": [{"@.test": behind(*wrong)}, {"@.test": [WRONG]}], "finds": FOUR,
            "queries": ["1 A @.test", "1 AAAA @.test"]}


def searched(name, table, queries, finds=FOUR, **fields):
    return {"name": name, "tables": [table], "finds": finds, **fields,
            "queries": [f"1 {kind} {query}" for query in queries for kind in ("A", "AAAA")]}


# A title; what the servers 127.0.0.1, 127.0.0.2, ... answer (None: it does not listen); and the
# address that a client gets, or the reason of the reply 04. "@" is a label that no other situation
# has, so that all situations can share servers. QUERIES is the server's number, the type and the
# name of each query.
SITUATIONS = {
    # One family is enough.
    "AAAA has NODATA": bad_family(nodata),
    "AAAA has NODATA without SOA": bad_family([]),
    "AAAA has NXDOMAIN": bad_family(NXDOMAIN),
    "AAAA has SERVFAIL": bad_family(SERVFAIL),
    "AAAA has REFUSED": bad_family(REFUSED),
    "AAAA has NOTIMP": bad_family(NOTIMP),
    "AAAA has FORMERR": bad_family(FORMERR),
    "AAAA has no answer": bad_family(silent),
    "AAAA has an answer that is cut": bad_family(broken(lambda query, right: [right[:-3]])),
    "A has SERVFAIL": {"tables": [{"@.test": of_type(SERVFAIL, [SIX])}], "finds": SIX},
    "A has NXDOMAIN": {"tables": [{"@.test": of_type(NXDOMAIN, [SIX])}], "finds": SIX},
    "A has no answer": {"tables": [{"@.test": of_type(silent, [SIX])}], "finds": SIX},
    "A has NXDOMAIN and AAAA has no answer": {
        "tables": [{"@.test": of_type(NXDOMAIN, silent)}], "finds": UNANSWERED,
        "options": QUICK},
    "A has NODATA and AAAA SERVFAIL": {
        "tables": [{"@.test": of_type(nodata, SERVFAIL)}], "finds": ERRORS},

    # Servers.
    "NXDOMAIN from the first server is final": {
        "tables": [NONE, RIGHT], "finds": NO_NAME, "queries": ["1 A @.test", "1 AAAA @.test"]},
    "NODATA from the first server is final": {
        "tables": [{"@.test": nodata}, RIGHT], "finds": NO_NAME,
        "queries": ["1 A @.test", "1 AAAA @.test"]},
    "the first server has a name that the second has not": {
        "tables": [RIGHT, NONE], "finds": FOUR, "queries": ["1 A @.test", "1 AAAA @.test"]},
    "the first server has SERVFAIL": rejected(SERVFAIL),
    "the first server has REFUSED": rejected(REFUSED),
    "the first server has NOTIMP with EDNS": rejected(
        lambda _, query, __: query.send(
            message(query, rcode=NOTIMP, additional=[OPT]))),
    "the first server has FORMERR": {
        **rejected(FORMERR), "queries": [
            f"1 {kind} @.test{how}" for kind in ("A", "AAAA") for how in ("", " plain")
        ] + ["2 A @.test", "2 AAAA @.test"]},
    "the first server has SERVFAIL for A and NXDOMAIN for AAAA": {
        **rejected(of_type(SERVFAIL, NXDOMAIN)),
        "queries": ["1 A @.test", "1 AAAA @.test", "2 A @.test"]},
    "the first server refers to others": rejected(referral),
    "the first server sends an answer that is cut": {
        **rejected(of_type(broken(lambda query, right: [right[:-3]]), nodata)),
        "queries": ["1 A @.test", "1 AAAA @.test", "2 A @.test"]},
    "the first server does not answer": {**rejected(silent), "options": QUICK},
    "the first server does not listen": {
        "tables": [None, RIGHT], "finds": FOUR, "queries": ["2 A @.test", "2 AAAA @.test"]},
    "the first and second server fail": {
        "tables": [{"@.test": SERVFAIL}, None, RIGHT], "finds": FOUR,
        "queries": ["1 A @.test", "1 AAAA @.test", "3 A @.test", "3 AAAA @.test"]},
    "no server answers": {
        "tables": [{"@.test": silent}] * 2, "finds": NO_ANSWER, "options": QUICK,
        "queries": [f"{i} {kind} @.test" for i in (1, 2) for kind in ("A", "AAAA")]},
    "no server listens": {"tables": [None, None], "finds": NO_ANSWER, "queries": []},
    "all servers fail": {"tables": [{"@.test": SERVFAIL}, {"@.test": REFUSED}], "finds": ERRORS},
    "a server answers at the second attempt, without EDNS": {
        "tables": [{"@.test": without_edns([FOUR], error=None)}], "finds": FOUR,
        "options": "timeout:1 attempts:2",
        "queries": [f"1 {kind} @.test{how}" for kind in ("A", "AAAA") for how in ("", " plain")]},

    # EDNS and TCP.
    "FORMERR to EDNS": {"tables": [{"@.test": without_edns([FOUR])}], "finds": FOUR},
    "FORMERR with EDNS to EDNS": {
        "tables": [{"@.test": echoes_edns([FOUR])}], "finds": FOUR,
        "queries": [f"1 {kind} @.test{how}" for kind in ("A", "AAAA") for how in ("", " plain")]},
    "FORMERR without a question to EDNS": {
        "tables": [{"@.test": without_edns([FOUR], has_question=False)}], "finds": FOUR},
    "NOTIMP to EDNS": {"tables": [{"@.test": without_edns([FOUR], error=NOTIMP)}], "finds": FOUR},
    "an answer is truncated": {
        "tables": [{"@.test": truncated([FOUR])}], "finds": FOUR,
        "queries": [f"1 {kind} @.test{how}" for kind in ("A", "AAAA") for how in ("", " tcp")]},
    "a truncated answer has another address": {
        "tables": [{"@.test": truncated([FOUR], part=[WRONG])}], "finds": FOUR},
    "an answer has 4,000 addresses": {
        "tables": [{"@.test": truncated([FOUR, *MANY])}], "finds": FOUR},
    "an answer is truncated over TCP, too": {
        "tables": [{"@.test": zone(("@.test", "A", FOUR), flags=QR | RD | TC)}], "finds": FOUR},
    "a truncated answer over TCP fails": {
        "tables": [{"@.test": truncated(SERVFAIL)}, RIGHT], "finds": FOUR},
    "a truncated answer is NXDOMAIN over TCP": {
        "tables": [{"@.test": truncated(NXDOMAIN)}, RIGHT], "finds": NO_NAME},
    "the server closes the TCP connection without an answer": {
        "tables": [{"@.test": truncated(lambda _, query, __: query.connection.shutdown(2))}, RIGHT],
        "finds": FOUR},
    "use-vc": {
        "tables": [RIGHT], "finds": FOUR, "options": "use-vc",
        "queries": ["1 A @.test tcp", "1 AAAA @.test tcp"]},
    "edns0": {"tables": [RIGHT], "finds": FOUR, "options": "edns0"},

    # Messages that are no answer.
    "an answer has another ID": ignored(wrong_id),
    "an answer has another name": ignored(wrong_name),
    "an answer has another type": ignored(wrong_type),
    "an answer has two questions": ignored(two_questions),
    "an answer has no question": ignored(no_question),
    "an answer is a query": ignored(is_query),
    "an answer has another opcode": ignored(other_opcode),
    "a datagram is empty": ignored(lambda query: b""),
    "a datagram has no complete header": ignored(lambda query: query[:11]),
    "a hundred answers have another ID": ignored(*[wrong_id] * 100),
    "an answer comes from another source": {
        "tables": [{"@.test": from_elsewhere}], "finds": FOUR,
        "queries": ["1 A @.test", "1 AAAA @.test"]},

    # Records.
    "the answer is in capitals": {"tables": [{"@.test": in_capitals}], "finds": FOUR},
    "the query is in capitals": {"name": "@.TEST", "tables": [RIGHT], "finds": FOUR},
    "CNAME records are in order": {"tables": [{"@.test": chain(3)}], "finds": FOUR},
    "CNAME records are in the opposite order": {"tables": [{"@.test": chain(3, -1)}],
                                                "finds": FOUR},
    "16 CNAME records": {"tables": [{"@.test": chain(16)}], "finds": FOUR},
    "17 CNAME records": {"tables": [{"@.test": chain(17)}], "finds": ERRORS},
    "CNAME records that are a loop": {
        "tables": [{"@.test": zone(("@.test", "CNAME", "b.@.test"), ("b.@.test", "CNAME", "@.test"),
                                   ("@.test", "A", WRONG))}], "finds": ERRORS},
    "a CNAME record without an address": {
        "tables": [{"@.test": zone(("@.test", "CNAME", "b.@.test"))}], "finds": NO_NAME},
    "an address of another name": {
        "tables": [{"@.test": zone(("b.@.test", "A", WRONG), ("@.test", "A", FOUR))}],
        "finds": FOUR},
    "only an address of another name": {
        "tables": [{"@.test": zone(("b.@.test", "A", WRONG), ("b.@.test", "AAAA", SIX))}],
        "finds": NO_NAME},
    "an address besides NXDOMAIN": {
        "tables": [{"@.test": zone(("@.test", "A", WRONG), rcode=NXDOMAIN)}], "finds": NO_NAME},

    # The search list.
    "search is \".\"": searched("@", {"@": [FOUR]}, ["@"], conf="search ."),
    "search is \".\" and a name without a dot does not exist": searched(
        "@", {"@": NXDOMAIN}, ["@"], conf="search .", finds=NO_NAME),
    "search is \".\" and a name with a dot does not exist": searched(
        "db.@", {"db.@": NXDOMAIN}, ["db.@"], conf="search .", finds=NO_NAME),
    "search has \".\" before a domain": searched(
        "@", {"@": NXDOMAIN, "@.test": [FOUR]}, ["@", "@.test"], conf="search . test"),
    "a search domain begins with a dot": searched(
        "@", {"@.test": [FOUR]}, ["@.test"], conf="search .test"),
    "the first domain has NODATA": searched(
        "www", {"www.a.@.test": nodata, "www.b.@.test": [FOUR]}, ["www.a.@.test", "www.b.@.test"],
        conf="search a.@.test b.@.test"),
    "the first domain has NXDOMAIN": searched(
        "www", {"www.a.@.test": NXDOMAIN, "www.b.@.test": [FOUR]}, ["www.a.@.test", "www.b.@.test"],
        conf="search a.@.test b.@.test"),
    "the first domain has SERVFAIL": searched(
        "www", {"www.a.@.test": SERVFAIL, "www.b.@.test": [FOUR]}, ["www.a.@.test", "www.b.@.test"],
        conf="search a.@.test b.@.test"),
    "the first domain has REFUSED": searched(
        "@", {"@.a.test": REFUSED, "@.b.test": [FOUR]}, ["@.a.test", "@.b.test"],
        conf="search a.test b.test"),
    "the first domain has NXDOMAIN for A and no answer for AAAA": {
        "name": "www", "options": QUICK, "conf": "search a.@.test b.@.test", "finds": FOUR,
        "tables": [{"www.a.@.test": of_type(NXDOMAIN, silent), "www.b.@.test": [FOUR]}],
        "queries": [f"1 {kind} www.{domain}.@.test" for domain in "ab" for kind in ("A", "AAAA")]},
    "the first domain has SERVFAIL, and the others do not have the name": searched(
        "@", {"@.a.test": SERVFAIL, "@.b.test": NXDOMAIN, "@": NXDOMAIN},
        ["@.a.test", "@.b.test", "@"], conf="search a.test b.test", finds=ERRORS),
    "the first domain has no answer": searched(
        "@", {"@.b.test": [WRONG], "@": [FOUR]}, ["@.a.test", "@"], conf="search a.test b.test",
        options=QUICK),
    "neither the first domain nor the name has an answer": searched(
        "@", {"@.b.test": [WRONG]}, ["@.a.test", "@"], conf="search a.test b.test", options=QUICK,
        finds=NO_ANSWER),
    "the first domain has no answer, and the name does not exist": searched(
        "@", {"@.b.test": [WRONG], "@": NXDOMAIN}, ["@.a.test", "@"], conf="search a.test b.test",
        options=QUICK, finds=UNANSWERED),
    "the first domain has no answer, and search has \".\" after it": searched(
        "@", {"@.b.test": [WRONG], "@": [FOUR]}, ["@.a.test", "@"], conf="search a.test b.test .",
        options=QUICK),
    "a name with a dot has no answer": searched(
        "db.@", {"db.@.a.test": [FOUR]}, ["db.@", "db.@.a.test"], conf="search a.test",
        options=QUICK),
    "neither a name with a dot nor the first domain has an answer": searched(
        "db.@", {"db.@.b.test": [WRONG]}, ["db.@", "db.@.a.test"], conf="search a.test b.test",
        options=QUICK, finds=NO_ANSWER),
    "no domain has the name": searched(
        "@", {"@.a.test": NXDOMAIN, "@.b.test": NXDOMAIN, "@": NXDOMAIN},
        ["@.a.test", "@.b.test", "@"], conf="search a.test b.test", finds=NO_NAME),
    "a name below a search domain": searched(
        "db.@", {"db.@": NXDOMAIN, "db.@.test": [FOUR]}, ["db.@", "db.@.test"],
        conf="search test"),
    "a name with a dot is looked up first as it is": searched(
        "db.@", {"db.@": [FOUR], "db.@.test": [WRONG]}, ["db.@"], conf="search test"),
    "a name without a dot is looked up first in the domain": searched(
        "@", {"@": [WRONG], "@.test": [FOUR]}, ["@.test"], conf="search test"),
    "a name without a dot is looked up last as it is": searched(
        "@", {"@.test": NXDOMAIN, "@": [FOUR]}, ["@.test", "@"], conf="search test"),
    "ndots is 2": searched(
        "db.@", {"db.@.test": [FOUR], "db.@": [WRONG]}, ["db.@.test"], conf="search test",
        options="ndots:2"),
    "ndots is 0": searched(
        "@", {"@.test": [WRONG], "@": [FOUR]}, ["@"], conf="search test", options="ndots:0"),
    "a final dot": searched(
        "@.", {"@": NXDOMAIN, "@.test": [WRONG]}, ["@"], conf="search test", finds=NO_NAME),
    "domain": searched("@", {"@.test": [FOUR]}, ["@.test"], conf="domain test"),
    "the last one of search and domain": searched(
        "@", {"@.test": [FOUR], "@.a.test": [WRONG]}, ["@.test"],
        conf="search a.test\ndomain test"),
    "a domain that is too long for the name": searched(
        "@", {"@.test": [FOUR]}, ["@.test"],
        conf="search " + ".".join(["d" * 62] * 4) + " test"),

    # Files.
    "a name in /etc/hosts": {
        "hosts": "127.0.0.1 @.test", "tables": [{"@.test": [WRONG]}], "finds": FOUR, "queries": []},
    "an alias in /etc/hosts, after a comment": {
        "hosts": "# a comment\n::1\tother.test  @.test # not-this.test", "tables": [{}],
        "finds": SIX, "queries": []},
    "a name in /etc/hosts in other letters": {
        "hosts": "127.0.0.1 HOST.@.Test", "name": "host.@.tEST", "tables": [{}], "finds": FOUR,
        "queries": []},
    "a name in /etc/hosts with a final dot": {
        "hosts": "127.0.0.1 @.test", "name": "@.test.", "tables": [{}], "finds": FOUR,
        "queries": []},
    "a name in a comment in /etc/hosts": {
        "hosts": "127.0.0.66 other.test # @.test", "tables": [RIGHT], "finds": FOUR},
    "a name in /etc/hosts with an address that is not valid": {
        "hosts": "127.1 @.test\n127.0.0.1 @.test", "tables": [{}], "finds": FOUR, "queries": []},
    "a name below localhost": {
        "name": "@.localhost", "tables": [{"@.localhost": [WRONG]}], "finds": SIX, "queries": []},
}


# The commands


SERVED = ("-o", "command connect resolve", "-o", "version 4 5", "-o", "timeout handshake 8s")
HOSTS = FOUR, SIX, WRONG


class Connect(Handler):
    """A handler that is asked to connect to a name."""

    def __init__(self, name):
        super().__init__(*SERVED, rules=["allow to any at any"])
        self.ask(name)

    def ask(self, name):
        self.send_request(name.encode(), PORT)

    def is_granted(self):
        return self.read_reply() == 0

    def found(self):
        """Returns the address, or the reason of the reply 04, or another reply."""
        granted = self.is_granted()
        self.client.reset()
        record = self.ended()
        if granted:
            return record["STDSOCKS_REACHED"]
        reasons = [why for why in REASONS if why in self.log_text()]
        return reasons[0] if reasons else f"reply {record['STDSOCKS_REPLY']}"


class Connect4(Connect):
    """The same with SOCKS 4A."""

    def ask(self, name):
        self.client.send(request4(name.encode(), PORT, command=1))
        # Until then the handler has opened the files.
        eventually(lambda: "request" in self.log_text(), "the request has arrived")

    def is_granted(self):
        return self.client.recv(8)[1] == 0x5A


class Resolve(Connect):
    """A handler that is asked to resolve a name."""

    def ask(self, name):
        self.client.send(GREETING + request_name(name.encode(), 0, RESOLVE))
        check(self.client.recv(2), CHOSEN)


class Datagram(Association):
    """A handler that gets a datagram to a name."""

    def __init__(self, name):
        super().__init__(rules=["allow to any at any"])
        self.data, self.unused = str(self.pid), len(self.descriptors())
        self.send((name.encode(), PORT), self.data.encode())

    def found(self):
        eventually(lambda: self.data in ARRIVED or self.is_over(), "the lookup ends")
        self.client.close()
        address = ARRIVED.get(self.data)
        self.ended(DROPPED_FOR=None if address else "unresolved 1")
        return address

    def is_over(self):
        """Whether the lookup has begun, and its sockets are closed."""
        return "stdsocks asks" in self.log_text() and len(self.descriptors()) == self.unused


LISTENING = listeners(*HOSTS)
PORT = port_of(LISTENING[0])
ARRIVED = {}  # the address at which a datagram with these data has arrived


def collect(sock):
    sock.settimeout(None)
    while True:
        ARRIVED[sock.recv(1000).decode()] = sock.getsockname()[0]


def write_conf(tables, conf="", options="timeout:5 attempts:1"):
    """Writes /etc/resolv.conf with one server for each table; nothing listens on 127.0.0.99."""
    hosts = [f"127.0.0.{99 if table is None else i}" for i, table in enumerate(tables, 1)]
    servers = "".join(f"nameserver {host}\n" for host in hosts)
    write("/etc/resolv.conf", f"{servers}{conf}\noptions {options}\n")


class Situation:
    """A situation with its own label, and a handler in it."""

    def __init__(self, number, servers, kind, *, tables, finds, name="@.test", hosts="",
                 queries=None, **conf):
        self.label, self.servers = f"s{number:03}", servers
        self.found, self.finds = None, finds
        self.queries = queries and sorted(self.named(query) for query in queries)
        for server, table in zip(servers, tables):
            server.table |= {self.named(key): value for key, value in (table or {}).items()}
        write_conf(tables, **{key: self.named(value) for key, value in conf.items()})
        write("/etc/hosts", self.named(hosts) + "\n")
        self.handler = kind(self.named(name))

    def named(self, text):
        return text.replace("@", self.label)

    def asked(self):
        return sorted(f"{number} {query.described()}"
                      for number, server in enumerate(self.servers, 1)
                      for query in list(server.log) if self.label in query.name.lower())

    def fault(self):
        """Returns what differs from the expected result, or None."""
        if self.found != self.finds and not (self.found is None and self.finds in REASONS):
            return f"found {self.found}, not {self.finds}"
        asked, wanted = Counter(self.asked()), Counter(self.queries)
        # On a busy machine, an IPv4 address may be used before all queries for AAAA were sent.
        missing = [query for query in wanted - asked if self.finds != FOUR or "AAAA" not in query]
        if self.queries is not None and (missing or asked - wanted):
            return f"asked {self.asked()}, not {self.queries}"
        return None


def run(kind):
    """Runs a handler of this kind in each situation, all at the same time."""
    for host in HOSTS:
        threading.Thread(target=collect, args=[udp(host, PORT)], daemon=True).start()
    servers = [Server({}, f"127.0.0.{number}") for number in (1, 2, 3)]
    begun = {title: Situation(number, servers, kind, **fields)
             for number, (title, fields) in enumerate(SITUATIONS.items())}
    for situation in begun.values():
        situation.found = situation.handler.found()
    for server in servers:
        server.take_all()
    faults = {title: situation.fault() for title, situation in begun.items()}
    wrong = [f"{title}: {fault}" for title, fault in faults.items() if fault]
    assert not wrong, "\n".join(wrong)
