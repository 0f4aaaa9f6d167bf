# SPDX-License-Identifier: ISC
"""A network where everything has a route, to nowhere, and where every packet is seen."""

import os
import socket
import struct
import subprocess

from socks import CHOSEN, DEADLINE_S, GREETING, check, request
from wire import TCP, destination, is_syn, tun
from world import STDSOCKS, Handler, bound, connection_as, ip, port_of, request_name, sysctl

UDP = 17
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 3, 0x0800, 0x86DD, 4

# Addresses that nobody reaches when nothing is configured, by the reason: examples of each kind.
# tests/unit/special.c has the edges of every block, and every embedding.
FORBIDDEN = {
    "this network": "0.0.0.0 0.255.255.255 ::",
    "loopback": "127.0.0.0 127.0.0.1 127.255.255.255 ::1",
    "private": "10.0.0.1 172.31.255.255 192.168.0.1 100.64.0.1 fc00::1 fdff:ffff::1 fec0::1",
    "link-local": "169.254.169.254 fe80::1",
    "special": "192.0.0.170 192.0.2.1 198.18.0.1 203.0.113.1 2001:db8::1 3fff::1 100::1 4000::1 "
    "64:ff9b:2::1",
    "multicast and reserved": "224.0.0.1 240.0.0.1 255.255.255.255 ff02::1 ff0e::1",
    "IPv4-mapped": "::ffff:127.0.0.1 ::ffff:0.0.0.0 ::ffff:10.0.0.1",
    "IPv4-compatible": "::127.0.0.1 ::10.0.0.1 ::2",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::",
    # RFC 6052 s2.2: prefixes of 96, 64, 56 and 48 bits
    "local NAT64": "64:ff9b:1::a00:1 64:ff9b:1:0:a:0:100:0 64:ff9b:1:a:0:1:: 64:ff9b:1:a00:0:100::",
    "6to4": "2002:7f00:1:: 2002:a00:1::1 2002::1",
    "Teredo": "2001::80ff:fffe 2001:0:808:808:8000:63bf:f5ff:fffe 2001::ffff:ffff",
    "ISATAP": "2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:127.0.0.1 fe80::5efe:10.0.0.1",
    # RFC 5214 s6.1: a public address inside opens no address that is not public itself.
    "outside of ISATAP": "fc00::5efe:8.8.8.8 fe80::200:5efe:8.8.8.8 2001:db8::5efe:8.8.8.8",
    # RFC 3056 s2 and RFC 5214 s6.1: of two addresses inside, both count.
    "6to4 and ISATAP": "2002:808:808::5efe:10.0.0.1 2002:808:808::200:5efe:127.0.0.1",
}

# Addresses that every client of a local network may reach.
PUBLIC = (
    "8.8.8.8 11.0.0.1 172.32.0.1 192.0.1.1 198.51.101.1 223.255.255.255 2000::1 2001:db9::1 "
    "2606:4700::1 "
    "2002:808:808::1 64:ff9b::808:808 2001::f7f7:f7f7 2606:4700::5efe:8.8.8.8 "
    "2606:4700::200:5efe:8.8.8.8 "
    # RFC 8215, RFC 6052 s2.2: prefixes of 96, 64, 56 and 48 bits
    "64:ff9b:1::808:808 64:ff9b:1:0:8:808:800:0 64:ff9b:1:8:8:808:: 64:ff9b:1:808:8:800::"
).split()


def forbidden():
    return [host for hosts in FORBIDDEN.values() for host in hosts.split()]


class Watch:
    """Every connection and every datagram that is begun in this network, on all devices.

    The default routes lead into a device where nothing ever answers.
    """

    def __init__(self):
        sysctl("ipv6/conf/default/router_solicitations", "0")
        self.out = tun("out")
        ip(
            "link set out up",
            "address add 192.0.2.200/24 dev out",
            "address add 2001:db8::8000/64 dev out nodad",
            "route add default dev out",
            "route add ::/0 dev out",
        )
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.sock.setblocking(False)

    def seen(self):
        """Since the last call, each once: "tcp ADDRESS PORT" for a SYN, "udp ADDRESS PORT".

        The kernel shows a packet before the call that sent it returns: what a handler has done
        before it answered is here.
        """
        found = {}
        while True:
            try:
                packet, (_, kind, direction, *_) = self.sock.recvfrom(65536)
            except BlockingIOError:
                return list(found)
            if direction != PACKET_OUTGOING or kind not in (ETH_P_IP, ETH_P_IPV6):
                continue
            four = kind == ETH_P_IP
            at = (packet[0] & 15) * 4 if four else 40
            protocol = packet[9] if four else packet[6]
            port = struct.unpack_from(">H", packet, at + 2)[0] if len(packet) >= at + 4 else 0
            if protocol == UDP or is_syn(packet):
                found[f"{'tcp' if protocol == TCP else 'udp'} {destination(packet)} {port}"] = True

    def connects(self):
        """Of seen(), TCP."""
        return [what for what in self.seen() if what.startswith("tcp")]

    def denies(self, host, port, *rules, **more):
        """As is_denied(), and no packet leaves."""
        self.seen()  # those of the client's connection
        record = is_denied(host, port, *rules, **more)
        assert not (seen := self.seen()), (host, rules, seen)
        return record


def lines(*rules):
    """The options that give these lines of a configuration."""
    return [word for rule in rules for word in ("-o", rule)]


def judged(*rules, file="/dev/null", ends=None, **handler):
    """A handler with these lines of a configuration before those of FILE, and the client of ENDS,
    or else of from_pair()."""
    return Handler("-f", file, *lines(*rules), rules=(), ends=ends or from_pair(), **handler)


def tries(host, port, *rules):
    """The reply if no attempt to connect is answered."""
    h = judged(*rules, "timeout connect 1ms")
    reply = h.connect(host, port)
    h.close_client()
    os.unlink(h.log)
    return reply


def asks(host, port, *rules, said=None, **handler):
    """One request (PORT may be a listener's): the reply, and the record, STDSOCKS_ being understood.

    What was served is told to stop. SAID, if not GREETING, is how the client begins, with what
    the answer has to be. The rest is as for judged().
    """
    h = judged(*rules, **handler)
    port = port if isinstance(port, int) else port_of(port)
    for words, answer in said or [(GREETING, CHOSEN)]:
        h.client.send(words)
        check(h.client.recv(len(answer)), answer)
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    h.requested_s = 0
    reply = h.read_reply()
    if reply == 0:
        h.terminate()
    else:
        check(h.client.end(), (b"", "fin"))
    h.close_client()
    record = {name.removeprefix("STDSOCKS_"): value for name, value in h.record().items()}
    os.unlink(h.log)  # else a failure would show them all
    check(record["END"], "terminated" if reply == 0 else "refused")
    return reply, record


def is_denied(host, port, *rules, rule=None, remedy=None, **more):
    """It is refused with 02, nothing is dialled, and the record tells by which rule."""
    reply, record = asks(host, port, *rules, **more)
    about = host, rules, reply, record
    assert reply == 2 and "REACHED" not in record and "CONNECT_USEC" not in record, about
    assert not rule or record["RULE"] == rule, about
    assert not remedy or record["REMEDY"] == remedy, about
    return record


def is_served(host, port, *rules, reached=None, **more):
    """It is served, at the address REACHED."""
    reply, record = asks(host, port, *rules, **more)
    assert reply == 0 and "RULE" not in record, (host, rules, reply, record)
    assert not reached or record["REACHED"] == reached, (host, rules, record)
    return record


def here(*hosts):
    """Give this host these addresses."""
    ip(*(f"address add {host}{'/128' if ':' in host else '/32'} dev lo{' nodad' if ':' in host else ''}" for host in hosts))


def from_ip(host, to=None, scope=0):
    """A connection from HOST to TO, or to itself: the client's socket and the handler's."""
    source = (host, 0, 0, scope) if ":" in host else (host, 0)
    family = socket.AF_INET6 if ":" in (to or host) else socket.AF_INET
    at = (to, 0) if to else source
    with socket.create_server(at, family=family, dualstack_ipv6=to == "::") as listening:
        where = f"{host}%{scope}" if scope else host
        client = socket.create_connection((where, port_of(listening)), DEADLINE_S, source)
        return client, listening.accept()[0]


def from_pair():
    """A client of AF_UNIX whom nobody knows, and who sends no packets."""
    return socket.socketpair()


def from_path(uid, path=None):
    """A client of AF_UNIX whose user the kernel knows."""
    with bound(path or f"/run/listening-{uid}") as listening:
        return connection_as(listening, uid)


def reply_on_pipes(host, port, *rules):
    """The reply to a client on two pipes."""
    command = [STDSOCKS, "-f", "/dev/null", *lines(*rules)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write(GREETING + request(host, port))
        process.stdin.flush()
        check(process.stdout.read(2), CHOSEN)
        reply = process.stdout.read(4)
        process.kill()
        return reply[1]
