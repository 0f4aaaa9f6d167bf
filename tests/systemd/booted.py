# SPDX-License-Identifier: ISC
"""Helpers for scripts in a container with systemd, in addition to socks.py."""

import socket
import json
import subprocess
import time

from datagrams import Datagrams, UDP_ASSOCIATE, parse_address, udp
from socks import DEADLINE_S, Endpoint, accept, check, listener, open_through

BEGAN = f"--since=@{time.time():.6f}"  # another test may have used the same port before


def say(*command, status=0):
    """Run a command, which must exit with this status. Returns standard output and standard
    error."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, f"{command}: {done.returncode}, {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def eventually(condition, description, within_s=DEADLINE_S):
    """Wait until CONDITION() returns a true value, and return that."""
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {description}"
        time.sleep(0.02)
    return result


def instances(*options):
    lines = say("systemctl", "list-units", *options, "--plain", "--no-legend",
                "stdsocks*@*").splitlines()
    return [line.split()[0] for line in lines]


def shown(unit, name):
    """Return a property of a unit. systemctl may lose PID 1, or time out, while that is busy."""
    busy = "endpoint is not connected", "Connection timed out"

    def show():
        done = subprocess.run(["systemctl", "show", "--property", name, "--value", unit],
                              capture_output=True, text=True)
        if done.returncode == 0:
            return [done.stdout.strip()]
        assert any(text in done.stderr for text in busy), done.stderr
        return None

    return eventually(show, f"{name} of {unit}", within_s=3 * DEADLINE_S)[0]


def client(host="127.0.0.1", source=None):
    return Endpoint(socket.create_connection((host, 1080), DEADLINE_S, source and (source, 0)))


def through(one, host="127.0.0.1", here="127.0.0.1"):
    """CONNECT to HOST and the port of a new listener at the address HERE. Returns upstream's
    socket."""
    with listener(here) as listening:
        check(open_through(one, host, listening.getsockname()[1])[:3], b"\x05\x00\x00")
        return accept(listening)


def served(source=None):
    """Connect a new client. Returns it and upstream's socket."""
    one = client(source=source)
    return one, through(one)


class Association(Datagrams):
    """An association of a client at HOST, with the socket of its datagrams."""

    def __init__(self, host="127.0.0.1"):
        self.client = client(host)
        reply = open_through(self.client, "0.0.0.0", 0, command=UDP_ASSOCIATE)
        check(reply[:3], b"\x05\x00\x00")
        self.relay = parse_address(reply[3:])[:2]
        self.sock = udp(host)


def unit_of(one):
    """The name of the unit that serves this client."""
    host, port = one.sock.getsockname()[:2]
    (unit,) = (unit for unit in instances() if unit.endswith(f"-{host}:{port}.service"))
    return unit


def pid_of(one):
    return int(shown(unit_of(one), "MainPID"))


def status_of(pid):
    """The fields of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def works(pair):
    """Check that bytes pass in both directions of this connection."""
    for here, there in pair, pair[::-1]:
        here.send(b"still there")
        check(there.recv(11), b"still there")


def over(pair):
    for end in pair:
        end.close()


def login(name, password=b"wrong"):
    """A greeting with username/password authentication only, and the login of RFC 1929."""
    return b"\x05\x01\x02\x01" + bytes([len(name)]) + name + bytes([len(password)]) + password


def answered(message, answer):
    """A new client sends MESSAGE, and reads ANSWER and the end. Returns the client's port."""
    one = client()
    one.send(message)
    check(one.recv(len(answer)), answer)
    port = one.sock.getsockname()[1]
    one.end()
    one.close()
    return port


def records(*matches, count=1):
    """Wait until journalctl finds COUNT records since the script began. Returns them."""
    def found():
        lines = say("journalctl", "-q", "-a", "-o", "json", BEGAN, *matches).splitlines()
        return [json.loads(line) for line in lines] if len(lines) >= count else None

    result = eventually(found, f"{count} records of {matches}")
    check(len(result), count)
    return result


def record_of(port, *names, host="127.0.0.1"):
    """Fields of the record of the client at this port, or the whole record without NAMES. A client
    of the other family can have the same port."""
    (record,) = records(f"STDSOCKS_CLIENT_PORT={port}", f"STDSOCKS_CLIENT={host}")
    return [record.get(f"STDSOCKS_{name}") for name in names] if names else record


def strangers(count):
    """Half of COUNT clients close without a byte, the others send no valid greeting. Then one is
    refused. Returns the records of all that are in the journal with the last one."""
    began = f"--since=@{time.time():.6f}"
    for number in range(count):
        one = client()
        one.send(b"GET / HTTP/1.0\r\n\r\n" if number % 2 else b"")
        one.fin()
        one.end()
        one.close()
    one = client()
    open_through(one, "127.0.0.1", 9)
    record_of(one.sock.getsockname()[1])
    lines = say("journalctl", "-q", "-o", "json", "-t", "stdsocks", began).splitlines()
    return [json.loads(line) for line in lines]


def configure(text):
    """Write a configuration that allows everything, with these additional lines."""
    with open("/etc/stdsocks/stdsocks.conf", "w", encoding="ascii") as config:
        config.write(f"allow to any\n{text}\n")
