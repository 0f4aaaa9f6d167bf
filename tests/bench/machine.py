# SPDX-License-Identifier: ISC
"""What the kernel says about the whole machine."""

import os
import re
import sys
import time


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _idle_s():
    """Seconds that the processors have been idle since boot, summed."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return sum(int(fields[n]) for n in (4, 5, 8)) / os.sysconf("SC_CLK_TCK")  # idle, iowait, steal


def warn_if_busy():
    """Says on standard error if others use so much of the processors that figures are noise."""
    start, idle = time.monotonic(), _idle_s()
    time.sleep(1)
    share = (_idle_s() - idle) / (time.monotonic() - start) / os.cpu_count()
    if (busy := round(100 * (1 - share))) > 5:
        _say(f"the machine is {busy}% busy with other things: these figures are noise")


def used_bytes():
    """Memory that is in use and could not simply be taken back.

    Pages on the per-processor lists are free, but MemFree does not count them, and there can be a
    hundred megabytes of them: more than what is to be measured.
    """
    with open("/proc/meminfo", encoding="ascii") as file:
        kb = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+)", file.read(), re.M)}
    with open("/proc/zoneinfo", encoding="ascii") as file:
        pagesets = re.findall(r"pagesets\n(.*?)(?=^Node|\Z)", file.read(), re.M | re.S)
    pages = sum(map(int, re.findall(r"^ +count: (\d+)", "".join(pagesets), re.M)))
    reclaimable = sum(kb[key] for key in ("MemFree", "Buffers", "Cached", "SReclaimable"))
    return (kb["MemTotal"] - reclaimable) * 1024 - pages * os.sysconf("SC_PAGESIZE")


def settled_used_bytes():
    """The same, once it has changed by less than 64 KB twice in a row."""
    used, calm = used_bytes(), 0
    for _ in range(40):
        time.sleep(0.1)
        last, used = used, used_bytes()
        calm = calm + 1 if abs(used - last) < 64 * 1024 else 0
        if calm == 2:
            return used
    _say("memory does not settle: something else is running")
    return used
