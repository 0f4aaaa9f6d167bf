# SPDX-License-Identifier: ISC
"""The results of a benchmark: reads their file, and formats tables and aims as Markdown."""

import collections
import os
import re
import time

HEADER = "measure", "role", "contestant", "unit", "value", "low", "high"
# In the order of the columns, with the colours of their bars in the plot.
ROLES = {"direct": "0xb0b0b0", "floor": "0x808080", "handler": "0x1f6fb4", "rules": "0x7fb2dc",
         "prefork": "0x4f9f4f", "fork": "0xa0a040", "peer": "0xd9914a"}

# The measures of prefork mode, which are also printed as multiples of those of microsocks.
BASE = "microsocks"
SHAPES = """setup_p50 sequential_p50 paced_p50 paced_p99 setup_8_parallel setup_50_parallel
    setup_200_parallel burst_20 burst_100""".split()

# The table of README.md: its columns, and the measures of each row.
SUMMARY_COLUMNS = {"direct": "no proxy", "stdsocks": "stdsocks", "prefork": "prefork mode",
                   "fork": "fork without sandbox", "microsocks": "microsocks", "danted": "danted"}
SUMMARY = {
    "connect to reply, median / 99th percentile, us": ["paced_p50", "paced_p99"],
    "connections/s, 8 / 50 / 200 parallel": ["setup_8_parallel", "setup_50_parallel",
                                             "setup_200_parallel"],
    "20 / 100 at once, last reply, ms": ["burst_20", "burst_100"],
    "download / upload, 1 stream, Gbit/s": ["bulk_down_1", "bulk_up_1"],
    "CPU of a download / upload, s/GiB": ["bulk_down_1_cpu", "bulk_up_1_cpu"],
    "1-byte round trips/s": ["pingpong_1_byte"],
    "memory of an idle connection, KB": ["idle_connection"],
    "datagrams/s, 64 / 1200 bytes": ["udp_64_byte", "udp_1200_byte"],
}

FILE = """# Results of the benchmark

- Written by: `make bench BENCHFLAGS=--write`
- Date: {date}
- Machine: {processors} processors ({architecture}), Linux {kernel}
- To repeat: install the other servers with `make check-deps`, stop other work on the machine, and
  run the command above. `make bench-plot` draws the figures.

All figures are from one run on loopback, in which the servers took turns in each round. They are
medians of the rounds, or percentiles of all samples. "direct" is the client without a proxy, which
limits the other figures. tcpserver starts "floor", a handler that only replies, "stdsocks", and
"1000-rules", which is stdsocks with a thousand access rules. "prefork" is stdsocks in prefork mode,
which relays with the same code. "fork" is a server that forks for each connection, without a
sandbox.

"setup" is the time from connect to the reply of the proxy, with a pause of 2 ms after each
connection; "sequential" is without a pause, and "paced" with one connection in 10 ms. "burst" is
the time to the last reply if 20 or 100 connections begin at once, 5 s after the last connection.

## Summary

{summary}

{tables}
"""

# Value is the median of the rounds, low and high are the quartiles. If there are no quartiles, all
# three are equal.
Figure = collections.namedtuple("Figure", "role unit value low high")


class Results:
    """{(MEASURE, LABEL): Figure}, {LABEL: ROLE}, and the labels by role."""

    def __init__(self, path):
        self.figures, self.roles = {}, {}
        with open(path, encoding="utf-8") as file:
            for line in list(file)[1:]:
                measure, role, label, unit, *values = line.rstrip("\n").split("\t")
                self.figures[measure, label] = Figure(role, unit, *map(float, values))
                self.roles[label] = role
        self.labels = sorted(self.roles, key=lambda label: list(ROLES).index(self.roles[label]))
        self.units = {measure: figure.unit for (measure, _), figure in self.figures.items()}
        self.handlers = [label for label in self.labels if self.roles[label] == "handler"]
        pairs = ([label for label in self.labels if self.roles[label] == role][:2]
                 for role in ("handler", "prefork"))
        self.pairs = [pair for pair in pairs if len(pair) == 2]

    def value(self, measure, label):
        figure = self.figures.get((measure, label))
        return figure and figure.value

    def best_peer(self, measure, best):
        """Returns the best figure of the other servers, or 0. best is the function max or min."""
        return best((figure.value for (name, _), figure in self.figures.items()
                     if name == measure and figure.role == "peer"), default=0)


def percentile(values, percent):
    values = sorted(values)
    rank = percent / 100 * (len(values) - 1)
    low, high = values[int(rank)], values[min(int(rank) + 1, len(values) - 1)]
    return low + (rank - int(rank)) * (high - low)


def number(value, unit=""):
    if value is None:
        return "-"
    if unit == "count":
        return f"{int(value)}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def title(measure):
    text = measure.replace("_", " ")
    if text.startswith("bulk"):
        text = text.replace(" 1", " 1 stream").replace(" 8", " 8 streams")
    return text


def comparison(a, b):
    """Returns the first figure as a multiple of the second. The mark ~ means that the quartiles
    overlap, so that the difference may be chance; ? means that there are no quartiles."""
    if not a or not b or b.value == 0:
        return ""
    doubt = ""
    if a.unit != "count" and a.low == a.high:
        doubt = " ?"
    elif a.unit != "count" and a.low <= b.high and b.low <= a.high:
        doubt = " ~"
    return f"{a.value / b.value:.2f}{doubt}"


def markdown(head, rows):
    """Yields the lines of a table, in which the columns are aligned."""
    rows = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for n, row in enumerate(rows):
        cells = [cell.rjust(width) if i else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        yield f"| {' | '.join(cells)} |"
        if n == 0:
            yield "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]),
                            ""])


def figures(results):
    yield from markdown(["", *results.labels, *map("/".join, results.pairs)], [
        [title(measure) + ("" if unit == "count" else f", {unit}"),
         *(number(results.value(measure, label), unit) for label in results.labels),
         *(comparison(*(results.figures.get((measure, one)) for one in pair))
           for pair in results.pairs)]
        for measure, unit in results.units.items()])


def ratios(results):
    """Yields the table of the figures as multiples of those of microsocks."""
    labels = [label for label in results.labels if label != BASE]
    yield from markdown(["", *labels], [
        [title(measure),
         *(comparison(results.figures.get((measure, label)), results.figures[measure, BASE])
           for label in labels)]
        for measure in SHAPES if (measure, BASE) in results.figures])


def summary(results):
    """Returns the table of README.md."""
    columns = [label for label in SUMMARY_COLUMNS if label in results.labels]
    rows = ([text, *(" / ".join(number(results.value(m, label)) for m in measures)
                     if results.value(measures[0], label) is not None else "" for label in columns)]
            for text, measures in SUMMARY.items())
    head = ["", *(SUMMARY_COLUMNS[label] for label in columns)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def aim(results, text, measure, base, relation, bound):
    """Yields a line that compares each handler's multiple of base with a bound."""
    if not base or measure not in results.units:
        return
    words = [f"{text:48} {relation} {bound:<4}"]
    unit = results.units[measure] if base == 1 else ""
    for label in results.handlers:
        value = results.value(measure, label)
        if value is not None:
            held = value / base <= bound if relation == "<=" else value / base >= bound
            missed = "" if held else " (missed)"
            whose = f"{label}: " if len(results.handlers) > 1 else ""
            words.append(f"{whose}{number(value / base, unit)}{missed}")
    yield "  ".join(words)


def names(results, plain):
    """Yields what a name costs more than an address. The time of the name server itself is what
    getaddrinfo() takes in the measure without a proxy."""
    for measure, text, bound in (("setup_hosts_p50", "name in /etc/hosts, additional ms", 0.1),
                                 ("setup_dns_p50", "name from a local server, additional ms", 0.2)):
        value = results.value(measure, results.handlers[0])
        if value is None or plain is None:
            continue
        more = value - plain
        direct = results.value(measure, "direct")
        plain_direct = results.value("setup_p50", "direct")
        if measure == "setup_dns_p50" and direct is not None and plain_direct is not None:
            more -= direct - plain_direct
        yield f"{text:48} <= {bound:<4}  {more / 1000:.2f}{' (missed)' * (more / 1000 > bound)}"


def aims(results):
    """The aim for CPU time is twice that of one stream without a proxy, also for eight streams,
    which take less CPU time per byte without a proxy."""
    floor = results.value("setup_p50", "floor")
    yield from aim(results, "setup p50 / floor's", "setup_p50", floor, "<=", 1.3)
    for measure in results.units:
        of_peer = f"{title(measure)} / best other server's"
        if measure.startswith("bulk") and measure.endswith("_cpu"):
            plain = results.value(measure.replace("_8", "_1"), "direct")
            text = f"{title(measure)} / direct's 1 stream"
            yield from aim(results, text, measure, plain, "<=", 2)
        elif measure.startswith("udp") and measure.endswith("_proxy_cpu"):
            yield from aim(results, of_peer, measure, results.best_peer(measure, min), "<=", 1)
        elif measure.startswith("bulk") or (
                measure.startswith("udp") and measure.endswith(("_byte", "_batches", "_way"))):
            yield from aim(results, of_peer, measure, results.best_peer(measure, max), ">=", 1)
    rules = results.value("setup_p50", "1000-rules")
    plain = results.value("setup_p50", results.handlers[0])
    yield from names(results, plain)
    if rules is not None and plain is not None:
        more = (rules - plain) / 1000
        yield f"{'1000 rules, additional ms':48} <= 0.5   {more:.2f}{' (missed)' * (more > 0.5)}"
    yield from aim(results, "idle connection, KB", "idle_connection", 1, "<=", 80)
    yield from aim(results, "system calls up to the reply", "syscalls", 1, "<=", 48)
    yield from aim(results, "minor faults up to the reply", "minor_faults", 1, "<=", 23)


def tables(results):
    """Yields the text of all figures."""
    yield from ("## Figures", "", *figures(results))
    if BASE in results.labels:
        yield from ("", f"## Multiples of {BASE}", "", *ratios(results))
    yield from ("", "The mark ~ means that the quartiles overlap, so that a difference may be",
                "chance; ? means that there are no quartiles.")
    if results.handlers and (lines := [f"    {line}" for line in aims(results)]):
        yield from ("", "## Aims", "", *lines)


def write(results, root):
    """Writes tests/bench/results.md, and the first table of the section Speed of README.md."""
    readme, file = root / "README.md", root / "tests/bench/results.md"
    text, system = summary(results), os.uname()
    file.write_text(FILE.format(
        date=time.strftime("%Y-%m-%d"), kernel=system.release, architecture=system.machine,
        processors=len(os.sched_getaffinity(0)), summary=text, tables="\n".join(tables(results))),
        encoding="utf-8")
    before = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(r"(\n## Speed\n[^|]*)(\|.*\n)+", lambda found: f"{found[1]}{text}\n",
                             before), encoding="utf-8")
