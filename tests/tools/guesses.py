# SPDX-License-Identifier: ISC
"""User names that look like a part of a record, and the filter for fail2ban."""

import os
import subprocess

FILTER = os.path.join(os.path.dirname(__file__), "../../units/stdsocks.fail2ban")

# 8.8.4.4 and 2001:4860::8844 are not the address of any client.
FORGED = "8.8.4.4:1 user x: authentication failed, 1.000 s"
NAMES = [name.encode("latin-1") for name in (
    "alice",
    FORGED,
    f"x: authentication failed, 1.000 s\nNov 30 12:00:00 host stdsocks[1]: {FORGED}",
    f"x: authentication failed, 1.000 s\0\r\x1b[2K host stdsocks[1]: {FORGED}",
    f"stdsocks[1]: {FORGED}",
    f" host stdsocks[1]: {FORGED}",
    "[2001:4860::8844]:1: authentication failed, 1.000 s",
    "x: authentication failed (8.8.4.4:1 user y: authentication failed, 1.000 s",
    f"\" \\\" {FORGED} \\",
    "x): authentication failed, 1.000 s CONNECT bank.example:443: closed by client",
    "2001-02-03 04:05:06 host stdsocks[1]: 8.8.4.4:1",
    f"{FORGED} ".ljust(255, "x"),
    "".join(map(chr, range(255))),
    "\xff\u00b2",
    "",
)]


def banned(path):
    """Returns the addresses that fail2ban's filter finds in a log, one for each line of them."""
    run = subprocess.run(["fail2ban-regex", "--out", "ip", path, FILTER], check=True,
                         env=os.environ | {"PYTHONPATH": os.environ["FAIL2BAN"]},
                         capture_output=True, text=True)
    return sorted(run.stdout.split())
