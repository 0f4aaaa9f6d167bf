# SPDX-License-Identifier: ISC
"""Handlers of $ARCHITECTURE under qemu-user, and the system calls that they make.

The folder $BUILT_FOR has the programs of this architecture.
"""

import os
import re

from socks import check
from world import run

ARCHITECTURE, BUILT_FOR = os.environ["ARCHITECTURE"], os.environ["BUILT_FOR"]
EMULATOR = [f"qemu-{ARCHITECTURE}"]
# qemu-user has no seccomp, and writes the system calls to standard error, as strace does.
OPTIONS, BEFORE = ("-o", "sandbox best-effort"), [*EMULATOR, "-strace"]

# enum syscalls_stage
CONNECT, RESOLVE, BIND, ASSOCIATE, RELAYING, DATAGRAMS = (1 << n for n in range(6))


def numbers(names):
    """Returns the numbers of system calls, by their names."""
    compiler = f"{ARCHITECTURE}-linux-gnu-gcc", "-E", "-P", "-include", "sys/syscall.h"
    lines = run(*compiler, "-x", "c", "-", text="".join(f"{name} SYS_{name}\n" for name in names))
    found = dict(line.split() for line in lines.splitlines() if line)
    return {name: int(found[name]) for name in names}


def calls(log, pid):
    """Returns the names of the system calls of a process, in their order. A call that qemu-user
    does not know is a number."""
    found = re.findall(rf"^{pid} (?:Unknown syscall (\d+)|(\w+)\()", log, re.MULTILINE)
    assert found, log
    return [unknown or name for unknown, name in found]


def not_allowed(h, *stages):
    """Returns the names of calls for which the table has no row in a stage in which a handler has
    made them. STAGES are those for which it has tried to install filters, in order."""
    made, entered = set(), []
    for name in calls(h.log_text(), h.pid):
        made |= {(stage, name) for stage in entered}
        if name == "seccomp":
            entered.append(stages[len(entered)])
    check(len(entered), len(stages))
    known = numbers({name for _, name in made if not name.isdigit()})
    lines = "".join(f"{stage} 0 {known.get(name, name)}\n" for stage, name in made)
    said = run(*EMULATOR, f"{BUILT_FOR}/unit/syscalls", "0", text=lines)
    denied = re.findall(r"^call (\d+) ", said, re.MULTILINE)
    return {name for _, name in made if str(known.get(name, name)) in denied}
