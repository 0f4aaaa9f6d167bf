# SPDX-License-Identifier: ISC
"""What scripts on a booted systemd use, beside socks.py."""

import socket
import json
import subprocess
import time

from datagrams import Datagrams, UDP_ASSOCIATE, parse_address, udp
from socks import DEADLINE_S, Endpoint, accept, check, listener, open_through

BEGAN = f"--since=@{time.time():.6f}"  # a port may have been another test's


def say(*command, status=0):
    """What a command says, both ways, which ends with this status."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, f"{command}: {done.returncode}, {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def eventually(holds, what, within_s=DEADLINE_S):
    """What it answers, once that is true."""
    deadline = time.monotonic() + within_s
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)
    return answer


def instances(*options):
    lines = say("systemctl", "list-units", *options, "--plain", "--no-legend", "stdsocks*@*").splitlines()
    return [line.split()[0] for line in lines]


def shown(unit, name):
    """One property of a unit. systemctl loses PID 1 at times while that is busy with a thousand units."""

    def ask():
        done = subprocess.run(["systemctl", "show", "--property", name, "--value", unit], capture_output=True, text=True)
        assert done.returncode == 0 or "endpoint is not connected" in done.stderr, done.stderr
        return done.returncode == 0 and [done.stdout.strip()]

    return eventually(ask, f"{name} of {unit}")[0]


def client(host="127.0.0.1", source=None):
    return Endpoint(socket.create_connection((host, 1080), DEADLINE_S, source and (source, 0)))


def through(one, host="127.0.0.1", here="127.0.0.1"):
    """The upstream's end of what this client is connected to: a listener HERE, which it calls HOST."""
    with listener(here) as listening:
        check(open_through(one, host, listening.getsockname()[1])[:3], b"\x05\x00\x00")
        return accept(listening)


def served(source=None):
    """A client whose connection stands, and the upstream's end of it."""
    one = client(source=source)
    return one, through(one)


class Association(Datagrams):
    """One whose client is at HOST, as is its socket."""

    def __init__(self, host="127.0.0.1"):
        self.client = client(host)
        reply = open_through(self.client, "0.0.0.0", 0, command=UDP_ASSOCIATE)
        check(reply[:3], b"\x05\x00\x00")
        self.relay = parse_address(reply[3:])[:2]
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


def over(pair):
    for end in pair:
        end.close()


def login(name, password=b"wrong"):
    """A greeting with passwords alone, and RFC 1929."""
    return b"\x05\x01\x02\x01" + bytes([len(name)]) + name + bytes([len(password)]) + password


def asked(message, answer):
    """A client that says all it has to say at once, and hears that answer and the end; its port."""
    one = client()
    one.send(message)
    check(one.recv(len(answer)), answer)
    port = one.sock.getsockname()[1]
    one.end()
    one.close()
    return port


def records(*matches, count=1):
    """What journalctl finds since the script began, once it is so many records; they come when they come."""
    def found():
        said = say("journalctl", "-q", "-a", "-o", "json", BEGAN, *matches).splitlines()
        return [json.loads(line) for line in said] if len(said) >= count else None

    answer = eventually(found, f"{count} records of {matches}")
    check(len(answer), count)
    return answer


def record_of(port, *names):
    """Of the client with this port: its record's fields of these names, or the record as it is."""
    (record,) = records(f"STDSOCKS_CLIENT_PORT={port}")
    return [record.get(f"STDSOCKS_{name}") for name in names] if names else record


def configure(text):
    """For connections that come from now on: everybody may go everywhere, and TEXT."""
    with open("/etc/stdsocks/stdsocks.conf", "w", encoding="ascii") as config:
        config.write(f"allow to any\n{text}\n")
