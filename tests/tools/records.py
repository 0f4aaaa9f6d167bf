# SPDX-License-Identifier: ISC
"""records.py COUNT [--destinations N] [--hostile] - write records in the journal's export format.

They are input for systemd-journal-remote: one record a second, with the fields of the handler and
of journald, the same in each run. With --hostile, an attacker has chosen the values.
"""

import argparse
import random
import sys

START_S = 1763629200  # 2025-11-20 09:00 UTC
SERVED, NOT_SERVED, FAILED = (
    "676b8ea6ab824ca18b7b99a8399ac688",
    "dabd9aa38022419e8b57bfe5028c7661",
    "a66266082a8545b7938a1f45230389d4",
)
TITLE = b"document.title='owned'"
ANY_BYTES = b"\x1b]0;owned\x07\x1b[31m<script>" + TITLE + b"</script>\"'&\\n\r\xff\xc3\x28\x00"
HOSTILE = b"<img src=x onerror=\"" + TITLE + b"\"> %d{}$(id)`id`" + ANY_BYTES


def served(rng, number, destinations):
    name = f"host{min(rng.randrange(destinations), rng.randrange(destinations))}.example.com"
    return {
        "MESSAGE_ID": SERVED,
        "STDSOCKS_COMMAND": "CONNECT",
        "STDSOCKS_DST": name,
        "STDSOCKS_DST_PORT": rng.choice((443, 443, 443, 80, 22)),
        "STDSOCKS_REACHED": f"203.0.113.{number % 254 + 1}",
        "STDSOCKS_REPLY": 0,
        "STDSOCKS_BYTES_UP": int(rng.lognormvariate(7, 2)),
        "STDSOCKS_BYTES_DOWN": int(rng.lognormvariate(10, 2.5)),
        "STDSOCKS_RESOLVER": "127.0.0.53",
        "STDSOCKS_RESOLVE_USEC": int(rng.lognormvariate(8, 1)),
        "STDSOCKS_CONNECT_USEC": int(rng.lognormvariate(9.5, 0.7)),
        "STDSOCKS_TOTAL_USEC": int(rng.lognormvariate(14, 2)),
        "STDSOCKS_END": rng.choice(("closed",) * 8 + ("reset", "idle-timeout")),
        "STDSOCKS_CLOSED_BY": rng.choice(("client", "upstream")),
    }


def refused(rng):
    reply, end = rng.choice(((2, "refused"), (4, "refused"), (5, "refused"),
                             (None, "login-failed"), (None, "not-socks5")))
    fields = {
        "MESSAGE_ID": NOT_SERVED,
        "STDSOCKS_TOTAL_USEC": int(rng.lognormvariate(8, 1)),
        "STDSOCKS_END": end,
        "STDSOCKS_CLOSED_BY": "stdsocks",
    }
    if reply:
        fields |= {"STDSOCKS_COMMAND": "CONNECT", "STDSOCKS_REPLY": reply}
        fields |= {"STDSOCKS_DST": "10.0.0.7", "STDSOCKS_DST_PORT": 25}
    if reply == 2:
        fields["STDSOCKS_RULE"] = f"/etc/stdsocks/stdsocks.conf:{rng.randrange(1, 9)}"
    if reply == 4:
        fields["STDSOCKS_RESOLVE_USEC"] = int(rng.lognormvariate(11, 1))
    if reply == 5:
        fields |= {"STDSOCKS_CONNECT_USEC": int(rng.lognormvariate(9, 1)), "ERRNO": 111}
    return fields


def record(rng, number, destinations):
    if number % 1000 == 999:
        fields = refused(rng)
        fields |= {"MESSAGE_ID": FAILED, "STDSOCKS_END": "failed", "ERRNO": 24, "PRIORITY": 3}
    else:
        fields = refused(rng) if number % 10 == 3 else served(rng, number, destinations)
    port = 1024 + number % 64000
    client = f"192.0.2.{number % 50 + 1}"
    unit = f"stdsocks@{number}-198.51.100.1:1080-{client}:{port}.service"
    if number % 3:
        fields["STDSOCKS_USER"] = f"user{int(rng.paretovariate(1)) % 30}"
    request = f"{fields.get('STDSOCKS_COMMAND', '')} {fields.get('STDSOCKS_DST', '')}"
    return {
        "PRIORITY": 5,
        "MESSAGE": f"{client}:{port} {request}: {fields['STDSOCKS_END']}",
        "SYSLOG_IDENTIFIER": "stdsocks",
        "STDSOCKS_CLIENT": client,
        "STDSOCKS_CLIENT_PORT": port,
        **fields,
        "_PID": 1000 + number % 30000,
        "_UID": 990,
        "_GID": 990,
        "_COMM": "stdsocks",
        "_EXE": "/usr/local/bin/stdsocks",
        "_CMDLINE": "/usr/local/bin/stdsocks",
        "_CAP_EFFECTIVE": "0",
        "_SYSTEMD_UNIT": unit,
        "_SYSTEMD_CGROUP": f"/system.slice/system-stdsocks.slice/{unit}",
        "_SYSTEMD_SLICE": "system-stdsocks.slice",
        "_SYSTEMD_INVOCATION_ID": f"{rng.getrandbits(128):032x}",
        "_HOSTNAME": "proxy",
        "_MACHINE_ID": "0123456789abcdef0123456789abcdef",
        "_TRANSPORT": "journal",
    }


def hostile(number):
    """Returns fields with text that must be escaped for terminals, browsers and parsers."""
    names = """CLIENT CLIENT_PORT USER COMMAND DST DST_PORT REACHED REACHED_PORT REPLY RULE
        BYTES_UP RESOLVER RESOLVE_USEC CLOSED_BY""".split()
    fields = {"STDSOCKS_" + name: HOSTILE + name.encode() * 100 for name in names}
    return fields | {
        "MESSAGE_ID": SERVED,
        "STDSOCKS_TOTAL_USEC": "-5",
        "STDSOCKS_CONNECT_USEC": "99999999999999999999",
        "STDSOCKS_BYTES_DOWN": 2**64 - 1 - number,
        "STDSOCKS_END": HOSTILE,
        "_SYSTEMD_UNIT": HOSTILE,
    }


def write(fields, time_us, out):
    out.write(f"__REALTIME_TIMESTAMP={time_us}\n__MONOTONIC_TIMESTAMP={time_us}\n".encode())
    out.write(f"_BOOT_ID={'ab' * 16}\n".encode())
    for name, value in fields.items():
        if isinstance(value, bytes):
            out.write(name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
        else:
            out.write(f"{name}={value}\n".encode())
    out.write(b"\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--destinations", type=int, default=1000)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    rng = random.Random(1080)
    for number in range(options.count):
        fields = hostile(number) if options.hostile else record(rng, number, options.destinations)
        write(fields, (START_S + number) * 10**6, sys.stdout.buffer)


main()
