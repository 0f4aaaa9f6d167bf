# SPDX-License-Identifier: ISC
"""Name servers on port 53 of a world: dnsmasq, and a server whose answers a test chooses."""

import contextlib
import ipaddress
import re
import socket
import struct
import subprocess
import threading
import time

from world import WORLD, eventually

TYPES = {1: "A", 5: "CNAME", 6: "SOA", 12: "PTR", 28: "AAAA", 41: "OPT"}
NUMBERS = {text: number for number, text in TYPES.items()}
FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 1, 2, 3, 4, 5
QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080  # RFC 1035 s4.1.1


class Dnsmasq:
    """dnsmasq, authoritative for .test; it refuses other names."""

    def __init__(self, *options, hosts=(), address="127.0.0.1"):
        """HOSTS are lines as in /etc/hosts."""
        self.address = address
        self.log = f"{WORLD}/dnsmasq.log"
        with open(f"{WORLD}/names", "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in hosts)
        with open(self.log, "wb") as log:
            subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root",
                 "--no-resolv", "--no-hosts", f"--listen-address={address}", "--bind-interfaces",
                 "--pid-file=", "--log-queries", "--log-facility=-", "--local=/test/",
                 f"--addn-hosts={WORLD}/names", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        eventually(self.is_listening, "dnsmasq listens")

    def is_listening(self):
        """Returns whether port 53 of the address is in use. A bind(2) to find out could take it
        from dnsmasq."""
        is_ipv6 = ":" in self.address
        packed = socket.inet_pton(socket.AF_INET6 if is_ipv6 else socket.AF_INET, self.address)
        words, table = struct.unpack(f"={len(packed) // 4}I", packed), "udp6" if is_ipv6 else "udp"
        wanted = "".join(f"{word:08X}" for word in words) + ":0035"
        with open(f"/proc/thread-self/net/{table}", encoding="ascii") as sockets:
            return any(line.split()[1] == wanted for line in list(sockets)[1:])

    def queries(self):
        """Returns the queries so far, sorted: "TYPE NAME"."""
        with open(self.log, encoding="utf-8") as log:
            found = re.findall(r"query\[(\w+)\] (\S*) from", log.read())
        return sorted(f"{kind} {name}" for kind, name in found)


class Query(bytes):
    """A query that has arrived: its bytes, and what a server needs to answer it."""

    def __new__(cls, data, server, source, connection=None):
        query = super().__new__(cls, data)
        query.server, query.source, query.connection = server, source, connection
        query.name, kind = question(data)
        query.type = TYPES.get(kind, str(kind))
        query.id, query.port = data[:2], source[1]
        query.has_edns = data[10:12] != b"\0\0"
        query.arrived_s, query.is_answered = time.monotonic(), False
        return query

    def __str__(self):
        return f"{self.type} {self.name}"

    def described(self):
        """Returns the text of the query, and "tcp" and "plain" (without EDNS) where they apply."""
        return str(self) + " tcp" * bool(self.connection) + " plain" * (not self.has_edns)

    def send(self, data):
        """Sends a message the way that the query came. The handler may have gone."""
        with contextlib.suppress(OSError):
            if self.connection:
                self.connection.sendall(struct.pack(">H", len(data)) + data)
            else:
                self.server.sock.sendto(data, self.source)
        self.is_answered = True


class Server:
    """A name server, over UDP and TCP, with a table of its answers.

    A key is a name, or a type and a name, "AAAA a.test", which comes first. A value is a list of
    addresses, a number (the RCODE), or a function of (server, query, source address). The server
    does not answer for other names. QUERIES has the text of every query, and LOG the queries.
    """

    def __init__(self, table, address="127.0.0.1", tcp=True):
        self.table, self.address = table, address
        self.queries, self.log = [], []
        ((family, kind, _, _, where),) = socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)
        self.sock = socket.socket(family, kind)
        self.sock.bind(where)
        threading.Thread(target=self.serve, daemon=True).start()
        if tcp:
            self.listening = socket.socket(family)
            self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listening.bind(where)
            self.listening.listen()
            threading.Thread(target=self.accept, daemon=True).start()

    def serve(self):
        while True:
            self.take(Query(*receive(self.sock, self)))

    def accept(self):
        while True:
            connection, source = self.listening.accept()
            threading.Thread(target=self.converse, args=(connection, source), daemon=True).start()

    def converse(self, connection, source):
        """Answers the queries that come over one connection, and closes it at its end."""
        with connection, contextlib.suppress(OSError, EOFError):
            while True:
                (size,) = struct.unpack(">H", exactly(connection, 2))
                self.take(Query(exactly(connection, size), self, source, connection))

    def take(self, query):
        self.log.append(query)
        self.queries.append(str(query))
        name = query.name.lower()
        respond(query, self.table.get(f"{query.type} {name}", self.table.get(name, silent)))

    def take_all(self):
        """Waits until the server has taken all queries that were sent to it by UDP."""
        count = len(self.log)
        with socket.socket(self.sock.family, socket.SOCK_DGRAM) as own:
            own.sendto(bytes(12) + encode_name("own.query") + b"\0\1\0\1", self.sock.getsockname())
        eventually(lambda: "A own.query" in map(str, self.log[count:]), "the own query")

    def expect(self, name):
        """Waits for a query for NAME. Use each name once: a second query may arrive late."""
        eventually(lambda: any(query.endswith(f" {name}") for query in self.queries),
                   f"a query for {name}")


def receive(sock, server):
    data, source = sock.recvfrom(512)
    return data, server, source


def exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def respond(query, value):
    """Answers a query with a value of a table."""
    if callable(value):
        value(query.server, query, query.source)
    elif isinstance(value, int):
        query.send(answer(query, rcode=value))
    else:
        query.send(answer(query, value))


# Messages


def question(query):
    """Returns the name and type of a query (RFC 1035 s4.1.2)."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    return ".".join(labels), struct.unpack_from(">H", query, at + 1)[0]


def asked(query):
    """Returns the bytes of the question: name, type and class."""
    return query[12 : query.index(0, 12) + 5]


def encode_name(name):
    labels = [label.encode("latin-1") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner, kind, data, ttl=60):
    """Returns a record (RFC 1035 s4.1.3) whose data is an address or a name, or bytes. An owner
    that is bytes is used as it is."""
    if isinstance(data, str):
        data = ipaddress.ip_address(data).packed if kind in ("A", "AAAA") else encode_name(data)
    owner = owner if isinstance(owner, bytes) else encode_name(owner)
    return owner + struct.pack(">HHIH", NUMBERS[kind], 1, ttl, len(data)) + data


def soa(ttl=60):
    """Returns the record that says how long a negative answer may be kept (RFC 2308 s5)."""
    names = encode_name("ns") + encode_name("root")
    return record("", "SOA", names + struct.pack(">5I", *[ttl] * 5))


def message(query, *records, authority=(), additional=(), rcode=0, flags=QR | RD | RA,
            questions=None):
    """Returns a message with the ID of a query, with its question or these, and with records."""
    sections = [asked(query)] if questions is None else questions, records, authority, additional
    return (query[:2] + struct.pack(">HHHHH", flags | rcode, *map(len, sections))
            + b"".join(part for section in sections for part in section))


def answer(query, addresses=(), rcode=0):
    """Returns a response to a query, with those addresses that have the requested family."""
    kind = TYPES.get(question(query)[1])
    wanted = [address for address in addresses if kind == ("AAAA" if ":" in address else "A")]
    return message(query, *(record(b"\xc0\x0c", kind, address) for address in wanted), rcode=rcode)


# Functions that are values of a table


def silent(*_):
    """Sends no answer."""


def nodata(_, query, __):
    """Says that the name exists, and has no record of the type (RFC 2308 s2.2)."""
    query.send(message(query, authority=[soa()]))


def zone(*records, **options):
    """Sends those of the records that are of the requested type, or CNAME, in this order. In a
    name, "@" is the first label of the queried name."""

    def send(_, query, __):
        kinds, label = (query.type, "CNAME"), query.name.partition(".")[0]
        rows = [(owner.replace("@", label), kind, data.replace("@", label), *ttl)
                for owner, kind, data, *ttl in records if kind in kinds]
        query.send(message(query, *(record(*row) for row in rows), **options))

    return send


def after(wait, value):
    """Sends an answer after WAIT()."""

    def later(_, query, __):
        def send():
            wait()
            respond(query, value)

        threading.Thread(target=send, daemon=True).start()

    return later


def slow(delay_s, value):
    """Sends an answer after DELAY_S seconds."""
    return after(lambda: time.sleep(delay_s), value)


def broken(change):
    """Sends the messages that CHANGE(query, right answer) returns; the answer is 127.0.0.1."""

    def send(_, query, __):
        for data in change(query, answer(query, ["127.0.0.1"])):
            query.send(data)

    return send


def flood(make):
    """Sends messages, the results of MAKE(query), until the test ends."""

    def send(_, query, __):
        def run():
            while True:
                for _ in range(64):
                    query.send(make(query))
                time.sleep(0.001)  # other threads run

        threading.Thread(target=run, daemon=True).start()

    return send


def truncated(value, part=()):
    """Sends only the addresses PART, with TC, over UDP (RFC 1035 s4.2.1), and VALUE over TCP."""

    def send(_, query, __):
        if query.connection:
            respond(query, value)
            return
        right = answer(query, part)
        query.send(right[:2] + bytes([right[2] | TC >> 8]) + right[3:])

    return send


def without_edns(value, error=FORMERR, has_question=True):
    """Rejects queries with EDNS as a server from before RFC 6891, or ignores them if ERROR is
    None, and answers others."""

    def send(_, query, __):
        if query.has_edns and error is not None:
            query.send(message(query, rcode=error, questions=None if has_question else []))
        elif not query.has_edns:
            respond(query, value)

    return send


def in_turn(*values):
    """Sends the nth value as the answer to the nth query of each type, and then the last one."""
    counts = {}

    def send(_, query, __):
        counts[query.type] = counts.get(query.type, -1) + 1
        respond(query, values[min(counts[query.type], len(values) - 1)])

    return send
