# SPDX-License-Identifier: ISC
"""Real name servers on port 53 of a world, and what handlers get from them."""

import contextlib
import glob
import os
import socket
import struct
import subprocess

from dns import NUMBERS, encode_name, exactly
from names import Connect, Resolve
from socks import CHOSEN, GREETING, check, request
from world import STDSOCKS, WORLD, eventually, write
from zone import FOUR, NSD_CONF, SIX, Zone, addresses, plain

ZONE = Zone()
RESOLVE_PTR = 0xF1
AT_ONCE = 16  # handlers


# Servers


def serve(address, *command, env=None):
    """Starts a name server, and waits until it answers over UDP and TCP."""
    name = command[0]
    log = f"{WORLD}/{name}-{address}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=os.environ | (env or {}))
    for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
        eventually(lambda kind=kind: process.poll() is not None or answers(address, kind),
                   f"{name} answers")
    assert process.poll() is None, f"{name} has ended"


def answers(address, kind):
    """Whether a server answers a query for an address of here.test."""
    query = b"id\1\0\0\1\0\0\0\0\0\0" + encode_name("here.test") + struct.pack(">2H",
                                                                              NUMBERS["A"], 1)
    framed = struct.pack(">H", len(query)) * (kind == socket.SOCK_STREAM) + query
    with socket.socket(type=kind) as sock, contextlib.suppress(OSError, EOFError):
        sock.settimeout(0.5)
        sock.connect((address, 53))
        sock.send(framed)
        data = exactly(sock, 14)[2:] if kind == socket.SOCK_STREAM else sock.recv(512)
        return data[:2] == b"id" and data[3] & 15 == 0
    return False


def write_zone():
    write("/run/zone", ZONE.text())


def nsd(address="127.0.0.1"):
    """An authoritative server."""
    write_zone()
    write("/run/nsd.conf", NSD_CONF.format(address=address))
    serve(address, "nsd", "-d", "-c", "/run/nsd.conf")


def named():
    """BIND as an authoritative server."""
    write_zone()
    write("/run/named.conf", """
options {
    directory "/run";
    pid-file none;
    session-keyfile none;
    listen-on { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    check-names primary ignore;
};
controls { };
zone "." { type primary; file "/run/zone"; };
""")
    # The libraries have the version of the program in their names.
    folders = glob.glob(f"{os.environ['PEERS']}/bind9-libs/usr/lib/*/")
    serve("127.0.0.1", "named", "-g", "-n", "1", "-c", "/run/named.conf",
          env={"LD_LIBRARY_PATH": ":".join(folders)})


def unbound():
    """A recursive server, which asks nsd."""
    nsd("127.0.0.2")
    write("/run/unbound.conf", """
server:
    interface: 127.0.0.1
    username: ""
    chroot: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    do-not-query-localhost: no
    unblock-lan-zones: yes
    local-zone: "test." nodefault
    local-zone: "localhost." nodefault
stub-zone:
    name: "."
    stub-addr: 127.0.0.2
remote-control:
    control-enable: no
""")
    serve("127.0.0.1", "unbound", "-d", "-c", "/run/unbound.conf")


def dnsmasq():
    """A forwarder, which asks nsd."""
    nsd("127.0.0.2")
    serve("127.0.0.1", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root",
          "--no-resolv", "--no-hosts", "--server=127.0.0.2", "--listen-address=127.0.0.1",
          "--bind-interfaces", "--pid-file=")


# Results


class ResolvePtr(Resolve):
    """A handler that is asked for the name of an address."""

    def ask(self, name):
        self.client.send(GREETING + request(name, 0, RESOLVE_PTR))
        check(self.client.recv(2), CHOSEN)

    def found(self):
        reply = self.client.recv(4)
        if reply[1] == 0:
            name = self.client.recv(self.client.recv(1)[0]).decode()
        self.client.reset()
        self.ended()
        return name if reply[1] == 0 else None


def wrong_results(kind, names, is_right):
    """Runs a handler of this kind for each name, some at the same time. Returns a line for each
    result that IS_RIGHT(name, result) does not accept."""
    wrong = []
    for start in range(0, len(names), AT_ONCE):
        for h, name in [(kind(name), name) for name in names[start : start + AT_ONCE]]:
            found = h.found()
            if is_right(name, found):
                os.unlink(h.log)  # a failed test shows the others
            else:
                wrong.append(f"{kind.__name__} {name}: {found}")
    return wrong


def check_zone(may_fail=()):
    """Checks that handlers find the addresses of the zone. MAY_FAIL are names for which the server
    may also return an error."""
    wanted = {name: addresses(ZONE.wanted.get(name, ())) for name in ZONE.names}
    reasons = ZONE.reasons(may_fail)
    wrong = ZONE.explained_wrong(STDSOCKS, may_fail)
    wrong += wrong_results(Resolve, ZONE.names,
                           lambda name, found: plain(found) in wanted[name] | reasons[name])
    wrong += wrong_results(ResolvePtr, list(ZONE.name_of),
                           lambda address, name: name == ZONE.name_of[address])
    here = [name for name in ZONE.names if wanted[name] and wanted[name] <= {FOUR, SIX}]
    assert here
    wrong += wrong_results(Connect, here, lambda name, found: found in wanted[name])
    assert not wrong, "\n".join(wrong)
