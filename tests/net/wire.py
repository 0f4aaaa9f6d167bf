# SPDX-License-Identifier: ISC
"""A simulated link between this network namespace and a far one.

It replaces netem, iptables and a hostile router: it loses, delays and reorders packets, answers
with ICMP, and can be cut. An ICMP error arrives some time after its packet, as from a real network,
and not during the system call that sends the packet.
"""

import fcntl
import heapq
import ipaddress
import os
import random
import select
import socket
import struct
import threading
import time

from world import DEADLINE_S, HERE, Network, ip, listener

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, ICMP, ICMPV6 = 6, 1, 58
SYN, ACK = 0x02, 0x10


def tun(name):
    """Open a TUN device in the current network namespace. Returns its descriptor."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def drop(_packet):
    """An action: lose the packet."""
    return None


def icmp(code, code6=None):
    """An action: answer "destination unreachable" with this code, or CODE6 for IPv6 (RFC 792,
    RFC 4443 s3.1)."""

    def unreachable(packet):
        if packet[0] >> 4 == 4:
            return icmp4(packet, code)
        return icmp6(packet, code if code6 is None else code6)

    return unreachable


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", total ^ 0xFFFF)


def icmp4(packet, code):
    head = (packet[0] & 15) * 4
    body = bytes([3, code, 0, 0]) + bytes(4) + packet[: head + 8]
    body = body[:2] + checksum(body) + body[4:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, ICMP,
                     0) + packet[16:20] + packet[12:16]
    return ip[:10] + checksum(ip) + ip[12:] + body


def icmp6(packet, code):
    body = bytes([1, code, 0, 0]) + bytes(4) + packet[:1232]
    addresses = packet[24:40] + packet[8:24]
    body = body[:2] + checksum(addresses + struct.pack(">II", len(body), ICMPV6) + body) + body[4:]
    return struct.pack(">IHBB", 6 << 28, len(body), ICMPV6, 64) + addresses + body


def destination(packet):
    return str(ipaddress.ip_address(packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]))


def is_syn(packet):
    four = packet[0] >> 4 == 4
    at = (packet[0] & 15) * 4 if four else 40
    kind = packet[9] if four else packet[6]
    return kind == TCP and packet[at + 13] & (SYN | ACK) == SYN


class Wire:
    """The far addresses are NET.1, ... and V6::1, ...; the near ones are NET.200 and V6::8000.

    All far addresses have a common prefix of the same length with the near one, so that RFC 6724
    rule 9 does not change the resolver's order.
    """

    def __init__(self, name="wire", net="192.0.2", v6="2001:db8:", far_count=9, seed=1):
        self.near_ip = f"{net}.200"
        self.actions = {}  # far address: a function of a packet that returns an answer or None
        self.delays_s = {}  # far address: additional delay of packets to it
        self.syns = []  # the destination of each SYN from the near side
        self.loss = self.reordered = 0.0  # the share of packets
        self.lost_count = self.passed_count = 0
        self.is_cut = False  # if true, all packets are lost
        self.random = random.Random(seed)
        self.near_fd = self.make(name, [f"{self.near_ip}/24", f"{v6}:8000/64"])
        self.far = Network(new=True)
        with self.far:
            far = range(1, far_count + 1)
            addresses = [f"{net}.{i}/24" for i in far] + [f"{v6}:{i:x}/64" for i in far]
            self.far_fd = self.make(name, addresses)
        self.later = []  # a heap of (time, number, descriptor, packet)
        threading.Thread(target=self.carry, daemon=True).start()

    @staticmethod
    def make(name, addresses):
        fd = tun(name)
        ip(f"link set {name} up", *(f"address add {address} dev {name} nodad"
                                    for address in addresses))
        return fd

    def carry(self):
        other = {self.near_fd: self.far_fd, self.far_fd: self.near_fd}
        while True:
            wait_s = max(0, self.later[0][0] - time.monotonic()) if self.later else None
            for fd in select.select(list(other), [], [], wait_s)[0]:
                self.pass_on(os.read(fd, 65536), fd, other[fd])
            while self.later and self.later[0][0] <= time.monotonic():
                _, _, fd, packet = heapq.heappop(self.later)
                os.write(fd, packet)

    def pass_on(self, packet, came_from, goes_to):
        delay_s = 0.0005
        if came_from == self.near_fd:
            address = destination(packet)
            if is_syn(packet):
                self.syns.append(address)
            if address in self.actions:
                if answer := self.actions[address](packet):
                    self.send_later(0.001, came_from, answer)
                return
            delay_s += self.delays_s.get(address, 0)
        if self.is_cut or self.random.random() < self.loss:
            self.lost_count += 1
            return
        if self.random.random() < self.reordered:
            delay_s += 0.004
        self.send_later(delay_s, goes_to, packet)

    def send_later(self, delay_s, fd, packet):
        self.passed_count += 1
        heapq.heappush(self.later, (time.monotonic() + delay_s, self.passed_count, fd, packet))

    def tried(self):
        """The destinations of SYNs in order, without repetitions."""
        return list(dict.fromkeys(self.syns))

    def listener(self, host, port=0):
        """A listener on a far address."""
        with self.far:
            return listener(host, port)

    def client(self):
        """Connect from the far side to the near one. Returns the client's socket and the accepted
        one."""
        with HERE:
            listening = socket.create_server((self.near_ip, 0))
        with listening, self.far:
            return socket.create_connection(listening.getsockname(),
                                            DEADLINE_S), listening.accept()[0]
