# SPDX-License-Identifier: ISC
"""Figures of the kernel about the whole machine."""

import os
import re
import sys
import time


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _idle_s():
    """Returns the idle time of all processors since boot."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return sum(int(fields[n]) for n in (4, 5, 8)) / os.sysconf("SC_CLK_TCK")  # idle, iowait, steal


def warn_if_busy():
    """Writes a warning to standard error if other processes use more than 5% of the processors."""
    start, idle = time.monotonic(), _idle_s()
    time.sleep(1)
    share = (_idle_s() - idle) / (time.monotonic() - start) / os.cpu_count()
    if (busy := round(100 * (1 - share))) > 5:
        _say(f"warning: other processes use {busy}% of the processors; figures are unreliable")


def used_bytes():
    """Returns the memory that is in use and cannot be reclaimed.

    Free pages on the lists of the processors are not in MemFree. There can be a hundred megabytes
    of them, more than the memory to measure.
    """
    with open("/proc/meminfo", encoding="ascii") as file:
        kb = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+)", file.read(), re.M)}
    with open("/proc/zoneinfo", encoding="ascii") as file:
        pagesets = re.findall(r"pagesets\n(.*?)(?=^Node|\Z)", file.read(), re.M | re.S)
    pages = sum(map(int, re.findall(r"^ +count: (\d+)", "".join(pagesets), re.M)))
    reclaimable = sum(kb[key] for key in ("MemFree", "Buffers", "Cached", "SReclaimable"))
    return (kb["MemTotal"] - reclaimable) * 1024 - pages * os.sysconf("SC_PAGESIZE")


def settled_used_bytes():
    """Returns used_bytes() after it has changed by less than 64 KB twice in a row."""
    used, calm = used_bytes(), 0
    for _ in range(40):
        time.sleep(0.1)
        last, used = used, used_bytes()
        calm = calm + 1 if abs(used - last) < 64 * 1024 else 0
        if calm == 2:
            return used
    _say("warning: the use of memory does not settle; stop other processes")
    return used
