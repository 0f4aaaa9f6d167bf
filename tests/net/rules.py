# SPDX-License-Identifier: ISC
"""A network where everything has a route, to nowhere, and where every packet is seen."""

import os
import socket
import struct
import subprocess

from socks import CHOSEN, DEADLINE_S, GREETING, check, request
from wire import TCP, destination, is_syn, tun
from world import STDSOCKS, Handler, ip, port_of, request_name, sysctl

UDP = 17
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 3, 0x0800, 0x86DD, 4

# What nobody reaches as long as nothing is configured, by the reason.
FORBIDDEN = {
    "this network": "0.0.0.0 0.0.0.1 0.255.255.255 ::",
    "loopback": "127.0.0.0 127.0.0.1 127.255.255.255 ::1",
    "private": "10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 "
    "100.64.0.0 100.64.0.1 100.127.255.255 fc00::1 fdff:ffff::1 fec0::1 feff::1",
    "link-local": "169.254.0.1 169.254.169.254 169.254.255.255 fe80::1 febf::1",
    "special": "192.0.0.0 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 "
    "203.0.113.1 2001:db8::1 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1 3fff::1 100::1 5f00::1 1::1 4000::1 e000::1 "
    "64:ff9b:2::1 ::ffff:0:808:808",
    "multicast and reserved": "224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255 ff02::1 ff0e::1",
    "IPv4-mapped": "::ffff:127.0.0.1 ::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:255.255.255.255",
    "IPv4-compatible": "::127.0.0.1 ::10.0.0.1 ::169.254.169.254 ::2",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b::",
    # RFC 6052 s2.2: prefixes of 96, 64, 56 and 48 bits
    "local NAT64": "64:ff9b:1::7f00:1 64:ff9b:1::a00:1 64:ff9b:1:ffff::a9fe:a9fe 64:ff9b:1:0:a:0:100:0 "
    "64:ff9b:1:a:0:1:: 64:ff9b:1:a:0:1:808:808 64:ff9b:1:a00:0:100:: 64:ff9b:1:a00:0:100:808:808",
    "6to4": "2002:7f00:1:: 2002:7f00:1::1 2002:a00:1:: 2002:a00:1::1 2002:a9fe:a9fe::1 2002::1 2002:e000:1::",
    "Teredo": "2001::80ff:fffe 2001:0:808:808:8000:63bf:80ff:fffe 2001::f5ff:fffe 2001:0:808:808:8000:63bf:f5ff:fffe "
    "2001::ffff:ffff",
    "ISATAP": "::5efe:10.0.0.1 ::200:5efe:10.0.0.1 2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:10.0.0.1 "
    "2606:4700::200:5efe:127.0.0.1 fe80::5efe:10.0.0.1 fc00::5efe:169.254.169.254",
}

# Their neighbours, which everybody in a local network may reach.
PUBLIC = (
    "1.0.0.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255 "
    "169.255.0.1 172.15.255.255 172.32.0.1 192.0.1.1 192.0.3.1 192.88.98.1 192.88.100.1 192.167.255.255 192.169.0.1 "
    "198.17.255.255 198.20.0.1 198.51.99.1 198.51.101.1 203.0.112.1 203.0.114.1 223.255.255.255 "
    "2000::1 2001:200::1 2001:db7:ffff::1 2001:db9::1 2003::1 2606:4700::1 3ffe:ffff::1 3fff:1000::1 "
    "2002:808:808::1 2002:b00:1::1 64:ff9b::808:808 64:ff9b:1::808:808 2001::f7f7:f7f7 2606:4700::5efe:8.8.8.8 "
    "2606:4700::200:5efe:8.8.8.8"
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


def judged(*options, **handler):
    """A handler with the rules in OPTIONS, or with those that are built in."""
    return Handler("-f", "/dev/null", *options, rules=(), **handler)


def asks(host, port, *options, ends=None, said=None, **handler):
    """One request (PORT may be a listener's): the reply, and the record, STDSOCKS_ being understood.

    What was served is told to stop. SAID, if not GREETING, is how the client begins, with what
    the answer has to be.
    """
    h = judged(*options, ends=ends, **handler)
    port = port if isinstance(port, int) else port_of(port)
    for words, answer in said or [(GREETING, CHOSEN)]:
        h.client.send(words)
        check(h.client.recv(len(answer)), answer)
    h.client.send(request_name(host, port) if isinstance(host, bytes) else request(host, port))
    h.asked_s = 0
    reply = h.answer()
    if reply == 0:
        h.terminate()
    else:
        check(h.client.end(), (b"", "fin"))
    h.client.close()
    h.over()
    record = {name.removeprefix("STDSOCKS_"): value for name, value in h.record().items()}
    os.unlink(h.log)  # else a failure would show them all
    check(record["END"], "terminated" if reply == 0 else "refused")
    return reply, record


def is_denied(host, port, *options, rule=None, remedy=None, **more):
    """It is refused with 02, nothing is dialled, and the record tells by which rule."""
    reply, record = asks(host, port, *options, **more)
    assert reply == 2 and "REACHED" not in record and "CONNECT_USEC" not in record, (host, options, reply, record)
    assert not rule or record["RULE"] == rule, (host, options, record)
    assert not remedy or record["REMEDY"] == remedy, (host, options, record)
    return record


def is_served(host, port, *options, reached=None, **more):
    reply, record = asks(host, port, *options, **more)
    assert reply == 0 and "RULE" not in record, (host, options, reply, record)
    assert not reached or record["REACHED"] == reached, (host, options, record)
    return record


def here(*hosts):
    """Give this host these addresses."""
    ip(*(f"address add {host}{'/128 nodad' if ':' in host else '/32'} dev lo" for host in hosts))


def from_ip(host, to=None, scope=0):
    """A connection from HOST to TO, or to itself: the client's socket and the handler's."""
    six = ":" in host
    with socket.socket(socket.AF_INET6 if ":" in (to or host) else socket.AF_INET) as listening:
        if to == "::":
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind((to or host, 0, 0, scope) if ":" in (to or host) else (to or host, 0))
        listening.listen()
        port = listening.getsockname()[1]
        client = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
        client.settimeout(DEADLINE_S)
        client.bind((host, 0, 0, scope) if six else (host, 0))
        client.connect((host, port, 0, scope) if six else (host, port))
        return client, listening.accept()[0]


def from_pair():
    """A client of AF_UNIX whom nobody knows, and who sends no packets."""
    return socket.socketpair()


def from_path(uid):
    """A client of AF_UNIX whose user the kernel knows."""
    path = f"/run/listening-{uid}"
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o777)
        listening.listen()
        client = socket.socket(socket.AF_UNIX)
        os.seteuid(uid)
        try:
            client.connect(path)
        finally:
            os.seteuid(0)
        return client, listening.accept()[0]


def reply_on_pipes(host, port, *options):
    """The reply to a client on two pipes."""
    command = [STDSOCKS, "-f", "/dev/null", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(GREETING + request(host, port))
        process.stdin.flush()
        check(process.stdout.read(2), CHOSEN)
        reply = process.stdout.read(4)
        process.kill()
        return reply[1]


def login(name, password):
    """RFC 1929 s2."""
    return bytes([1, len(name)]) + name + bytes([len(password)]) + password
