# SPDX-License-Identifier: ISC
"""The results of a benchmark: reads their file, and prints the table and the aims."""

import collections

HEADER = "measure", "role", "contestant", "unit", "value", "low", "high"
# In the order of the columns, with the colours of their bars in the plot.
ROLES = {"direct": "0xb0b0b0", "floor": "0x808080", "handler": "0x1f6fb4", "rules": "0x7fb2dc",
         "peer": "0xd9914a"}

# Value is the median of the rounds, low and high are the quartiles. If there are no quartiles, all
# three are equal.
Figure = collections.namedtuple("Figure", "role unit value low high")


class Results:
    """{(MEASURE, LABEL): Figure}, and the labels by role."""

    def __init__(self, path):
        self.figures, roles = {}, {}
        with open(path, encoding="utf-8") as file:
            for line in list(file)[1:]:
                measure, role, label, unit, *values = line.rstrip("\n").split("\t")
                self.figures[measure, label] = Figure(role, unit, *map(float, values))
                roles[label] = role
        self.labels = sorted(roles, key=lambda label: list(ROLES).index(roles[label]))
        self.units = {measure: figure.unit for (measure, _), figure in self.figures.items()}
        self.handlers = [label for label in self.labels if roles[label] == "handler"]

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


def table(results):
    compared = results.handlers[:2] if len(results.handlers) > 1 else []
    columns = [f"{label:>11}" for label in results.labels]
    if compared:
        columns += ["", "/".join(compared)]
    yield " ".join([" " * 34, *columns])
    for measure, unit in results.units.items():
        name = title(measure) + ("" if unit == "count" else f", {unit}")
        columns = [f"{number(results.value(measure, label), unit):>11}" for label in results.labels]
        if compared:
            columns += ["", comparison(*(results.figures.get((measure, one)) for one in compared))]
        yield " ".join([f"{name:34}", *columns])


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


def show(path):
    results = Results(path)
    print(*table(results), sep="\n")
    if results.handlers:
        print("\naims", *aims(results), sep="\n")
