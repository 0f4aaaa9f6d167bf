# SPDX-License-Identifier: ISC
"""What scripts on a booted systemd use, beside socks.py."""

import json
import subprocess
import time

from datagrams import *
from socks import *


def say(*command):
    """What a command says, which succeeds."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def instances():
    return [line.split()[0] for line in say("systemctl", "list-units", "--plain", "--no-legend", "stdsocks@*").splitlines()]


def shown(unit, name):
    """One property of a unit."""
    return say("systemctl", "show", "--property", name, "--value", unit).strip()


def client(host="127.0.0.1", source=None):
    return Peer(socket.create_connection((host, 1080), DEADLINE_S, source and (source, 0)))


def served(source=None):
    """A client whose connection stands, and the upstream's end of it."""
    with listener() as listening:
        one = client(source=source)
        open_through(one, "127.0.0.1", listening.getsockname()[1])
        return one, accept(listening)


class Association(Datagrams):
    """One whose client is at HOST, as is its socket."""

    def __init__(self, host="127.0.0.1"):
        self.client = client(host)
        reply = open_through(self.client, "0.0.0.0", 0, command=UDP_ASSOCIATE)
        check(reply[:3], b"\x05\x00\x00")
        self.relay = place(reply[3:])[:2]
        self.sock = udp(host)


def unit_of(one):
    """The instance that serves this client."""
    host, port = one.sock.getsockname()[:2]
    (unit,) = (unit for unit in instances() if unit.endswith(f"-{host}:{port}.service"))
    return unit


def pid_of(one):
    return int(shown(unit_of(one), "MainPID"))


def status_of(pid):
    """What the kernel says of a process in /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def works(pair):
    """Both directions of this connection move."""
    for here, there in pair, pair[::-1]:
        here.send(b"still there")
        check(there.recv(11), b"still there")


def configure(text):
    """For connections that come from now on: everybody may go everywhere, and TEXT."""
    with open("/etc/stdsocks/stdsocks.conf", "w", encoding="ascii") as config:
        config.write(f"allow to any\n{text}\n")


def over(pair):
    for end in pair:
        end.close()


def eventually(holds, what):
    """Wait until it holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)
