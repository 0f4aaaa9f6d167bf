# SPDX-License-Identifier: ISC
"""Name servers on 127.0.0.1:53 of a world: dnsmasq, and one that misbehaves as told."""

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
    """dnsmasq, the authority for .test; anything else it refuses."""

    def __init__(self, *options, hosts=(), address="127.0.0.1"):
        """HOSTS are lines as in /etc/hosts."""
        self.address = address
        self.log = f"{WORLD}/dnsmasq.log"
        with open(f"{WORLD}/names", "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in hosts)
        with open(self.log, "wb") as log:
            subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv",
                 "--no-hosts", f"--listen-address={address}", "--bind-interfaces", "--pid-file=",
                 "--log-queries", "--log-facility=-", "--local=/test/", f"--addn-hosts={WORLD}/names",
                 *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        eventually(self.is_listening, "dnsmasq listens")

    def is_listening(self):
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self.address, 53))
            except OSError as reason:
                return reason.errno == errno.EADDRINUSE
        return False

    def queries(self):
        """What was asked so far, sorted: "TYPE NAME"."""
        with open(self.log, encoding="utf-8") as log:
            return sorted(f"{kind} {name}" for kind, name in re.findall(r"query\[(\w+)\] (\S*) from", log.read()))


class Server:
    """A name server that does with each query what its table says for the name.

    A value is a list of addresses, a number (the RCODE), or a function of (server, query, address
    of the asker). A name that is not in the table gets no answer. QUERIES has every query.
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
            query, asker = self.sock.recvfrom(512)
            name, kind = question(query)
            self.queries.append(f"{TYPES.get(kind, kind)} {name}")
            wanted = self.table.get(name.lower(), silent)
            if callable(wanted):
                wanted(self, query, asker)
            elif isinstance(wanted, int):
                self.sock.sendto(answer(query, rcode=wanted), asker)
            else:
                self.sock.sendto(answer(query, wanted), asker)

    def expect(self, name):
        """Wait for a query for NAME. Use each name once: an earlier handler's second query may come late."""
        eventually(lambda: any(query.endswith(f" {name}") for query in self.queries), f"{name} is looked up")


def question(query):
    """The name and type that are asked for (RFC 1035 s4.1.2)."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    return ".".join(labels), struct.unpack_from(">H", query, at + 1)[0]


def answer(query, addresses=(), rcode=0):
    """The response to a query; of the addresses, those of the family that was asked for."""
    kind = question(query)[1]
    packed = [ip.packed for ip in map(ipaddress.ip_address, addresses)]
    records = [ip for ip in packed if len(ip) == {1: 4, 28: 16}.get(kind)]
    end = query.index(0, 12) + 5  # of the question: the root label, type and class
    header = query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(records), 0, 0)
    body = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(ip)) + ip for ip in records)
    return header + query[12:end] + body


def silent(*_):
    """No answer, ever."""


def after(wait, addresses):
    """The right answer, when WAIT() is over."""

    def later(server, query, asker):
        def send():
            wait()
            server.sock.sendto(answer(query, addresses), asker)

        threading.Thread(target=send, daemon=True).start()

    return later


def slow(delay_s, addresses):
    """The right answer, DELAY_S late."""
    return after(lambda: time.sleep(delay_s), addresses)  # what the test is about, not a synchronisation


def broken(change):
    """CHANGE of (query, right answer) is sent instead of the answer, which is 127.0.0.1."""

    def send(server, query, asker):
        for packet in change(query, answer(query, ["127.0.0.1"])):
            server.sock.sendto(packet, asker)

    return send
