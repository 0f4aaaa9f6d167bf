# SPDX-License-Identifier: ISC
"""Name servers on port 53 of a world: dnsmasq, and a server whose answers a test chooses."""

import errno
import ipaddress
import re
import socket
import struct
import subprocess
import threading
import time

from world import WORLD, eventually

TYPES = {1: "A", 28: "AAAA"}
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


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
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self.address, 53))
            except OSError as reason:
                return reason.errno == errno.EADDRINUSE
        return False

    def queries(self):
        """Returns the queries so far, sorted: "TYPE NAME"."""
        with open(self.log, encoding="utf-8") as log:
            found = re.findall(r"query\[(\w+)\] (\S*) from", log.read())
        return sorted(f"{kind} {name}" for kind, name in found)


class Server:
    """A name server with a table of its answers by name.

    A value is a list of addresses, a number (the RCODE), or a function of (server, query, source
    address). The server does not answer for other names. QUERIES has every query.
    """

    def __init__(self, table, address="127.0.0.1"):
        self.table = table
        self.queries = []
        ((family, kind, _, _, where),) = socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)
        self.sock = socket.socket(family, kind)
        self.sock.bind(where)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, source = self.sock.recvfrom(512)
            name, kind = question(query)
            self.queries.append(f"{TYPES.get(kind, kind)} {name}")
            wanted = self.table.get(name.lower(), silent)
            if callable(wanted):
                wanted(self, query, source)
            elif isinstance(wanted, int):
                self.sock.sendto(answer(query, rcode=wanted), source)
            else:
                self.sock.sendto(answer(query, wanted), source)

    def expect(self, name):
        """Waits for a query for NAME. Use each name once: a second query may arrive late."""
        eventually(lambda: any(query.endswith(f" {name}") for query in self.queries),
                   f"a query for {name}")


def question(query):
    """Returns the name and type of a query (RFC 1035 s4.1.2)."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    return ".".join(labels), struct.unpack_from(">H", query, at + 1)[0]


def answer(query, addresses=(), rcode=0):
    """Returns a response to a query, with those addresses that have the requested family."""
    kind = question(query)[1]
    packed = [ip.packed for ip in map(ipaddress.ip_address, addresses)]
    records = [ip for ip in packed if len(ip) == {1: 4, 28: 16}.get(kind)]
    end = query.index(0, 12) + 5  # the question ends with the root label, type and class
    header = query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(records), 0, 0)
    body = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(ip)) + ip for ip in records)
    return header + query[12:end] + body


def silent(*_):
    """Sends no answer."""


def after(wait, addresses):
    """Sends the right answer after WAIT()."""

    def later(server, query, source):
        def send():
            wait()
            server.sock.sendto(answer(query, addresses), source)

        threading.Thread(target=send, daemon=True).start()

    return later


def slow(delay_s, addresses):
    """Sends the right answer after DELAY_S seconds."""
    return after(lambda: time.sleep(delay_s), addresses)


def broken(change):
    """Sends the packets that CHANGE(query, right answer) returns; the answer is 127.0.0.1."""

    def send(server, query, source):
        for packet in change(query, answer(query, ["127.0.0.1"])):
            server.sock.sendto(packet, source)

    return send
