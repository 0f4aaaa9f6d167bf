# SPDX-License-Identifier: ISC
"""A network in which every address has a route, and every outgoing packet is recorded."""

import os
import socket
import struct
import subprocess

from socks import CHOSEN, DEADLINE_S, GREETING, check, request
from wire import TCP, destination, is_syn, tun
from world import STDSOCKS, Handler, bound, connection_as, ip, port_of, request_name, sysctl

UDP = 17
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 3, 0x0800, 0x86DD, 4

# Examples of the addresses that the built-in rules deny, by kind. tests/unit/special.c has the
# limits of every block, and every embedding.
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
    # RFC 5214 s6.1: an embedded public address does not make the address public.
    "outside of ISATAP": "fc00::5efe:8.8.8.8 fe80::200:5efe:8.8.8.8 2001:db8::5efe:8.8.8.8",
    # RFC 3056 s2 and RFC 5214 s6.1: both of two embedded addresses are evaluated.
    "6to4 and ISATAP": "2002:808:808::5efe:10.0.0.1 2002:808:808::200:5efe:127.0.0.1",
}

# Examples of the addresses that the built-in rules allow for local clients.
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
    """Records every SYN and every UDP datagram that leaves this network namespace.

    The default routes lead to a device that never answers.
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
        """The packets since the last call, without repetitions: "tcp ADDRESS PORT" for a SYN, or
        "udp ADDRESS PORT". Because the kernel copies a packet here before the call that sends it
        returns, all packets that a handler has sent before its reply are included."""
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
        """The SYNs of seen()."""
        return [packet for packet in self.seen() if packet.startswith("tcp")]

    def denies(self, host, port, *rules, **more):
        """As is_denied(), and checks that no packet leaves."""
        self.seen()  # discards the packets of the client's connection
        record = is_denied(host, port, *rules, **more)
        assert not (seen := self.seen()), (host, rules, seen)
        return record


def lines(*rules):
    """The options -o for these lines of a configuration."""
    return [word for rule in rules for word in ("-o", rule)]


def configured(*rules, file="/dev/null", ends=None, **handler):
    """Start a handler with these lines of a configuration before those of FILE. The client is that
    of ENDS, by default from_pair()."""
    return Handler("-f", file, *lines(*rules), rules=(), ends=ends or from_pair(), **handler)


def tries(host, port, *rules):
    """The reply to a request with a connect timeout of 1 ms."""
    h = configured(*rules, "timeout connect 1ms")
    reply = h.connect(host, port)
    h.close_client()
    os.unlink(h.log)
    return reply


def asks(host, port, *rules, prefix=None, **handler):
    """Send a request to HOST and PORT, a number or a listener, and end the handler. PREFIX are the
    messages before the request with their replies, by default GREETING and CHOSEN. The other
    arguments are those of configured(). Returns the reply code and the record, with field names
    without STDSOCKS_."""
    h = configured(*rules, **handler)
    port = port if isinstance(port, int) else port_of(port)
    for message, answer in prefix or [(GREETING, CHOSEN)]:
        h.client.send(message)
        check(h.client.recv(len(answer)), answer)
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    reply = h.read_reply()
    if reply == 0:
        h.terminate()
    else:
        check(h.client.end(), (b"", "fin"))
    h.close_client()
    record = {name.removeprefix("STDSOCKS_"): value for name, value in h.record().items()}
    os.unlink(h.log)  # a failing test shows all logs
    check(record["END"], "terminated" if reply == 0 else "refused")
    return reply, record


def is_denied(host, port, *rules, rule=None, suggestion=None, **more):
    """Check that a request gets 02 without an attempt to connect, and that the record has this RULE
    and suggested rule, if given. Returns the record."""
    reply, record = asks(host, port, *rules, **more)
    about = host, rules, reply, record
    assert reply == 2 and "REACHED" not in record and "CONNECT_USEC" not in record, about
    assert not rule or record["RULE"] == rule, about
    assert not suggestion or record["REMEDY"] == suggestion, about
    return record


def is_served(host, port, *rules, reached=None, **more):
    """Check that a request is served, at the address REACHED if given. Returns the record."""
    reply, record = asks(host, port, *rules, **more)
    assert reply == 0 and "RULE" not in record, (host, rules, reply, record)
    assert not reached or record["REACHED"] == reached, (host, rules, record)
    return record


def here(*hosts):
    """Add these addresses to lo."""
    ip(*(f"address add {host}/{'128 dev lo nodad' if ':' in host else '32 dev lo'}"
         for host in hosts))


def from_ip(host, to=None, scope=0):
    """Connect from HOST to TO, by default to HOST. Returns the client's socket and the accepted
    one."""
    source = (host, 0, 0, scope) if ":" in host else (host, 0)
    family = socket.AF_INET6 if ":" in (to or host) else socket.AF_INET
    address = (to, 0) if to else source
    with socket.create_server(address, family=family, dualstack_ipv6=to == "::") as listening:
        scoped = f"{host}%{scope}" if scope else host
        client = socket.create_connection((scoped, port_of(listening)), DEADLINE_S, source)
        return client, listening.accept()[0]


def from_pair():
    """An AF_UNIX client without credentials, which sends no packets."""
    return socket.socketpair()


def from_path(uid, path=None):
    """An AF_UNIX client with the credentials of this user."""
    with bound(path or f"/run/listening-{uid}") as listening:
        return connection_as(listening, uid)


def reply_on_pipes(host, port, *rules):
    """The reply code for a client on two pipes."""
    command = [STDSOCKS, "-f", "/dev/null", *lines(*rules)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write(GREETING + request(host, port))
        process.stdin.flush()
        check(process.stdout.read(2), CHOSEN)
        reply = process.stdout.read(4)
        process.kill()
        return reply[1]
