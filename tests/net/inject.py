# SPDX-License-Identifier: ISC
"""Sessions in which one system call fails (strace --inject), and the permitted outcomes.

A session consists of a greeting, a request, the bytes UP and FIN of the client, and the bytes DOWN
and FIN of upstream. It is run once under strace, which counts the calls of each process from main()
on, and then once for each call, ordinal and error. errors_of() lists the errors of each outcome.

Calls before main() belong to the C library and never fail here.
"""

import collections
import contextlib
import glob
import itertools
import os
import re
import select
import signal
import socket
import sys
import threading
import time
import traceback

from dns import Server
from logs import JOURNAL, Reader, fields
from socks import GREETING, check, pattern, request
from world import STDSOCKS, WORLD, Handler, connection, libc, listener, mount, request_name
from world import sys_call

ERRORS = ("EINTR", "EAGAIN", "ENOMEM", "EMFILE", "ECONNRESET", "ENOBUFS")
# The half-closed timeout is short because it ends each run in which shutdown(2) fails.
LIMITS = ("-o", "timeout handshake 3s", "-o", "timeout connect 2s", "-o", "timeout idle 3s",
          "-o", "timeout half-closed 1500ms")
HANGS_S = 12  # longer than all of these timeouts together
UP, DOWN = pattern(5000), pattern(9000)[::-1]
ENDS = {"closed", "reset", "vanished", "idle-timeout", "half-closed-timeout", "lifetime",
        "terminated", "refused", "not-socks5", "no-method", "login-failed", "client-gone",
        "handshake-timeout", "failed"}
CLONE_NEWNS = 0x20000

# Calls that never fail here, with the reason.
EXCLUDED = {
    "execve": "called by strace and by the checkpassword program",
    "exit_group": "does not return",
    "brk": "has no errors: the C library would take an injected one for an address",
    "futex": "called by the GNU C library, which aborts on errors that the kernel never returns",
}

# A sanitizer makes these calls, too, and ends the process if one of them fails.
SANITIZER_CALLS = {"mmap", "munmap", "madvise", "mprotect", "prctl", "sigaltstack", "getrandom"}


def excluded():
    with open(STDSOCKS, "rb") as file:
        return {*EXCLUDED, *(SANITIZER_CALLS if b"__asan_init" in file.read() else ())}


# Calls that a signal can interrupt (not open(2) of a file on a disk), or that can return EAGAIN on
# a non-blocking descriptor: this must not change the outcome at all.
INTERRUPTED = {"connect", "poll", "ppoll", "read", "recvfrom", "recvmsg", "sendmmsg", "sendto",
               "wait4", "write"}
TRY_AGAIN = {"recvfrom", "sendto"}


class End:
    """One endpoint of a stream, with a descriptor for each direction, and the bytes received."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        self.got = bytearray()
        self.end = None  # "fin" or "reset" once the stream has ended

    def read(self):
        """Read once. Returns false at FIN or RST."""
        try:
            piece = os.read(self.reads.fileno(), 65536)
        except ConnectionResetError:
            self.end = "reset"
            return False
        self.got += piece
        if not piece:
            self.end = "fin"
        return bool(piece)

    def write(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data:
                data = data[os.write(self.writes.fileno(), data) :]

    def finish(self):
        """Close the writing direction."""
        if isinstance(self.writes, socket.socket):
            with contextlib.suppress(OSError):
                self.writes.shutdown(socket.SHUT_WR)
        else:
            self.writes.close()

    def close(self):
        self.reads.close()
        self.writes.close()


# The sessions


class Session:
    """A TCP client that sends everything at once; the record goes to standard error."""

    options = ()
    trace = True
    methods = GREETING
    login = b""
    host = "127.0.0.1"
    resets = True  # whether the client's connection can be reset
    never_interrupted = frozenset()  # calls that read only files on a disk
    journal = None
    # Set by ordinals(): the number of record_call calls in a session, of which the last writes the
    # record; and the pairs of call and ordinal that concern the journal's socket.
    record_call = "write"
    record_ordinal = 0
    journal_calls = frozenset()

    def __init__(self):
        self.listening = listener()
        self.listening.setblocking(False)
        self.port = self.listening.getsockname()[1]

    def request(self):
        return request(self.host, self.port)

    def start(self, before):
        """Returns the handler and the client's End."""
        ends = self.ends()
        h = Handler(*LIMITS, *self.options, trace=self.trace, before=before, ends=ends)
        return h, End(ends[0], ends[0])

    def ends(self):
        return connection()


class Named(Session):
    """A name with two addresses, of which the first refuses the connection."""

    host = b"two.test"
    never_interrupted = frozenset({"read"})
    has_server = False

    def __init__(self):
        super().__init__()
        if not self.has_server:
            apart(lambda: Server({"two.test": ["127.0.0.3", "127.0.0.1"]}))
        Named.has_server = True

    def request(self):
        return request_name(self.host, self.port)


class Login(Session):
    """A login with a passwords file; the settings come from a file."""

    methods, login = b"\x05\x01\x02", b"\x01\x05alice\x06secret"

    def __init__(self):
        super().__init__()
        put("users", "alice:secret\n", 0o640)
        put("conf", f"auth password\nusers {WORLD}/users\n")
        self.options = ("-f", f"{WORLD}/conf")


class Program(Session):
    """A login with a checkpassword program."""

    methods, login = b"\x05\x01\x02", b"\x01\x05alice\x06secret"

    def __init__(self):
        super().__init__()
        # WORLD belongs to root, and the program runs as the user that the handler becomes.
        put("/run/program", '#!/bin/sh\nexec "$@"\n', 0o755)
        self.options = ("-o", "auth password", "-o", "checkpassword /run/program")


class Pipes(Session):
    """Standard input and output are pipes."""

    resets = False

    def start(self, before):
        its_stdin, to_it = os.pipe()
        from_it, its_stdout = os.pipe()
        h = Handler(*LIMITS, *self.options, before=before, ends=socket.socketpair(),
                    stdin=its_stdin, stdout=its_stdout)
        os.close(its_stdin)
        os.close(its_stdout)
        return h, End(os.fdopen(from_it, "rb", 0), os.fdopen(to_it, "wb", 0))


class Journaled(Session):
    """A client on AF_UNIX; the record goes to the journal, or else to standard error."""

    trace = False
    resets = False
    never_interrupted = frozenset({"read"})

    def __init__(self):
        super().__init__()
        self.journal = Reader(JOURNAL)

    def ends(self):
        return socket.socketpair()


class Inetd(Session):
    """Standard error is the client's socket, as with inetd; the record goes to the journal."""

    trace = False
    record_call = "sendto"

    def __init__(self):
        super().__init__()
        self.journal = Reader(JOURNAL)

    def start(self, before):
        client, accepted = connection()
        h = Handler(*LIMITS, *self.options, trace=False, before=before, ends=(client, accepted),
                    stderr=accepted)
        return h, End(client, client)


SESSIONS = {"literal": Session, "name": Named, "login": Login, "program": Program, "pipes": Pipes,
            "journal": Journaled, "inetd": Inetd}


def put(name, text, mode=0o644):
    """Replace a file atomically, because handlers of other workers may read it."""
    path = os.path.join(WORLD, name)
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(new, mode)
    os.replace(new, path)


def apart(function):
    """Run FUNCTION in a process of its own, which keeps running. Returns after FUNCTION has
    returned."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        function()
        os.close(write_end)
        signal.pause()
    os.close(write_end)
    os.read(read_end, 1)
    os.close(read_end)


# One run


Outcome = collections.namedtuple("Outcome", "status client upstreams records stderr")


class Run:
    """A session in which one system call fails, until all its processes and connections have
    ended."""

    def __init__(self, session, before):
        self.session = session
        self.deadline = time.monotonic() + HANGS_S
        self.upstreams = []
        self.threads = []
        self.handler, self.client = session.start(before)
        # Sockets with a Python timeout have O_NONBLOCK.
        for end in {self.client.reads, self.client.writes}:
            os.set_blocking(end.fileno(), True)

    def outcome(self):
        self.begin(self.send_all, self.client)
        self.begin(self.read_all, self.client)
        pidfd = os.pidfd_open(self.handler.pid)
        ready = []
        while pidfd not in ready:
            ready = select.select([pidfd, self.session.listening], [], [], self.left_s())[0]
            assert ready, f"it hangs: {self.state()}"
            self.accept()
        os.close(pidfd)
        self.accept()
        for thread in self.threads:
            thread.join(self.left_s())
            assert not thread.is_alive(), f"it hangs: {self.state()}"
        status = self.handler.process.wait()
        for each in (self.client, *self.upstreams):
            each.close()
        return Outcome(status, self.client, self.upstreams, self.records(), self.handler.log_text())

    def left_s(self):
        return max(0, self.deadline - time.monotonic())

    def begin(self, function, end):
        self.threads.append(threading.Thread(target=function, args=(end,), daemon=True))
        self.threads[-1].start()

    def state(self):
        ends = [f"{end.end} after {len(end.got)} bytes" for end in (self.client, *self.upstreams)]
        return f"process {self.handler.state()}, {', '.join(ends)}; log:\n{self.handler.log_text()}"

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                sock = self.session.listening.accept()[0]
                sock.setblocking(True)
                self.upstreams.append(End(sock, sock))
                self.begin(self.serve, self.upstreams[-1])

    def send_all(self, client):
        client.write(self.session.methods + self.session.login + self.session.request() + UP)
        client.finish()

    @staticmethod
    def read_all(end):
        while end.read():
            pass

    @staticmethod
    def serve(upstream):
        """Send the first 4000 bytes after the client's first byte, and the rest after its FIN."""
        if has_begun := upstream.read():
            upstream.write(DOWN[:4000])
            Run.read_all(upstream)
        if upstream.end == "fin":
            upstream.write(DOWN[4000:] if has_begun else b"")
            upstream.finish()

    def records(self):
        """The fields of every record; of a record without fields, the end reason in its message."""
        found = []
        if self.session.journal:
            found += [record for each in self.session.journal.all()
                      if "STDSOCKS_END" in (record := fields(each))]
        text = self.handler.log_text()
        lines = re.findall(r"^stdsocks: .*?: (.*), \d+\.\d{3} s$", text, re.MULTILINE)
        if self.session.trace:
            assert text.count("STDSOCKS_END=") == len(lines), text
            return found + [self.handler.record()] * len(lines)
        return found + [{"STDSOCKS_END": END_OF_PHRASE[re.split(r" by |, | \(", line)[0]]}
                        for line in lines]


END_OF_PHRASE = {"closed": "closed", "reset": "reset", "refused": "refused",
                 "client disconnected during the handshake": "client-gone",
                 "system failure": "failed",
                 "handshake timeout": "handshake-timeout"}


# The permitted outcomes


def stream_of(session, got):
    """Split the bytes that the client received into the reply code, or None, and the payload.
    Raises AssertionError if they are not a server's messages."""
    got = bytes(got)
    method = 2 if session.login else 0
    if len(got) < 2 or got[:2] == b"\x05\xff":
        assert b"\x05\xff".startswith(got) or got == b"\x05\xff", "no method"
        return None, b""
    assert got[:2] == bytes([5, method]), "another method"
    got = got[2:]
    if session.login:
        assert b"\x01\x00".startswith(got[:2]) or got == b"\x01\x01", "no login status"
        if got[:2] != b"\x01\x00":
            return None, b""
        got = got[2:]
    if len(got) < 10:
        return None, b""
    assert got[:1] + got[2:4] == b"\x05\x00\x01", "no reply"
    return got[1], got[10:]


def errors_of(session, outcome, call=None, ordinal=0, error=None):
    """Returns a list of the errors of an outcome."""
    wrong = []
    must_be_whole = must_be_invisible(call, error) and call not in session.never_interrupted
    try:
        code, rest = stream_of(session, outcome.client.got)
    except AssertionError as reason:
        return [f"the client got {reason}: {bytes(outcome.client.got[:80])!r}"]
    if len(outcome.records) != 1 and (must_be_whole or not may_lose_record(session, call, ordinal)):
        return [f"{len(outcome.records)} records"]
    record = outcome.records[0] if outcome.records else {}
    end = record.get("STDSOCKS_END")
    if end and end not in ENDS:
        wrong.append("an unknown end")
    wrong += status_errors(outcome, end, call)
    wrong += reply_errors(session, outcome, code, rest, record)
    # ECONNRESET is an error of a connection, not of this host.
    if code == 1 and record and end != "failed" and error != "ECONNRESET":
        wrong.append("reply 01 without a failure")
    wrong += bytes_errors(session, outcome, code, rest, end)
    if must_be_whole and end != "closed":
        wrong.append("the outcome differs from a session without the fault")
    return wrong


def status_errors(outcome, end, call):
    wanted = {71} if end == "failed" else {0} if end else {0, 71}
    if end == "failed" and call in CONFIGURING:
        wanted |= {78}
    return [] if outcome.status in wanted else [f"status {outcome.status}"]


def reply_errors(session, outcome, code, rest, record):
    wrong = []
    if len(outcome.upstreams) > 1:
        wrong.append("it connected twice")
    if code == 0 and not outcome.upstreams:
        wrong.append("reply 00 without a connection")
    if code and (rest or any(upstream.got for upstream in outcome.upstreams)):
        wrong.append("bytes were relayed after a refusal")
    recorded = record.get("STDSOCKS_REPLY")
    if recorded is not None and code is not None and recorded != str(code):
        wrong.append(f"the record has reply {recorded}, the client got {code}")
    return wrong


def bytes_errors(session, outcome, code, rest, end):
    wrong = []
    upstream = outcome.upstreams[0] if outcome.upstreams else None
    if not DOWN.startswith(rest) or (upstream and not UP.startswith(bytes(upstream.got))):
        wrong.append("the bytes differ from those sent")
    if end == "closed" and (rest != DOWN or bytes(upstream.got) != UP):
        wrong.append(f"END is closed after {len(upstream.got)} bytes up and {len(rest)} down")
    if code == 0 and rest != DOWN and session.resets and outcome.client.end != "reset":
        wrong.append(f"FIN after {len(rest)} bytes down")
    if code == 0 and upstream and bytes(upstream.got) != UP and upstream.end != "reset":
        wrong.append(f"FIN after {len(upstream.got)} bytes up")
    return wrong


def must_be_invisible(call, error):
    return (error == "EINTR" and call in INTERRUPTED) or (error == "EAGAIN" and call in TRY_AGAIN)


# If one of these calls fails while the configuration is read, the exit status is 78.
CONFIGURING = {"open", "openat", "read", "fstat", "newfstatat", "lstat", "stat", "access",
               "faccessat"}


def may_lose_record(session, call, ordinal):
    """Returns true if the failed call was needed for the record and there is no other log."""
    if call in {"fstat", "newfstatat"}:  # finds out whether standard error is the client's socket
        return True
    if isinstance(session, Inetd) and (call, ordinal) in session.journal_calls:
        return True
    # The number of the relay's turns varies by one.
    return call == session.record_call and ordinal >= session.record_ordinal - 1


# The matrix of calls and errors


def strace(call=None, ordinal=0, error=None, log="/dev/null"):
    command = ["strace", "-f", "-b", "execve", "-qq", "-o", log]
    if call:
        command += ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={ordinal}"]
    return command


def ordinals(kind):
    """The calls of a kind of session from main() on, as a sorted list of (call, ordinal)."""
    session = kind()
    kind.journal_calls = set()
    log = f"{WORLD}/calls.{os.getpid()}"
    outcome = Run(session, strace(log=log)).outcome()
    wrong = errors_of(session, outcome)
    assert not wrong and outcome.status == 0, f"without a failure: {wrong}: {outcome}"
    counts, before = collections.defaultdict(collections.Counter), {}
    with open(log, encoding="utf-8", errors="replace") as calls:
        for line in calls:
            if match := re.match(r"(\d+) +(\w+)\(", line):
                pid, call = match.groups()
                counts[pid][call] += 1
                if re.search(r"socket\(AF_UNIX, SOCK_DGRAM|journal/socket", line):
                    kind.journal_calls.add((call, counts[pid][call]))
                # The first call of main(). A sanitizer makes it earlier, too, so the last one
                # counts.
                if "RLIMIT_CORE" in line:
                    before = {pid: counts[pid] - collections.Counter({call: 1})}
    kind.record_ordinal = counts[next(iter(before))][session.record_call]
    return sorted({(call, ordinal) for pid, count in counts.items() for call, last in count.items()
                   for ordinal in range(before.get(pid, {}).get(call, 0) + 1, last + 1)
                   if call not in excluded()})


def selected(found, others):
    """Returns triples (call, ordinal, error): each call and ordinal at least once, and each call
    that is not in OTHERS with every error. With INJECT=all, each call and ordinal with every
    error."""
    if os.environ.get("INJECT") == "all":
        return [(call, ordinal, error) for call, ordinal in found for error in ERRORS]
    return sorted({triple for call in {call for call, _ in found}
                   for triple in selected_of(call, found, call in others)})


def selected_of(call, found, is_other):
    numbers = [ordinal for name, ordinal in found if name == call]
    for i in range(len(numbers) if is_other else max(len(numbers), len(ERRORS))):
        yield call, numbers[i % len(numbers)], ERRORS[i % len(ERRORS)]


def attempt(session, call, ordinal, error):
    """Run a session with this fault. Returns None, or the description of the errors."""
    run = Run(session, strace(call, ordinal, error))
    try:
        outcome = run.outcome()
        wrong = errors_of(session, outcome, call, ordinal, error)
    except AssertionError as reason:
        return f"{call} {ordinal} {error}: {reason}"
    finally:
        run.handler.process.kill()
    if not wrong:
        os.unlink(run.handler.log)
        return None
    ends = [f"{end.end} after {len(end.got)}" for end in (outcome.client, *outcome.upstreams)]
    return (f"{call} {ordinal} {error}: {'; '.join(wrong)}: status {outcome.status}, {ends}, "
            f"{outcome.records}")


def work(kind, number, cases):
    """Run the cases of one worker."""
    Handler.count = number * 1000000
    session, bad = SESSIONS[kind](), 0
    for case in cases:
        if errors := attempt(session, *case):
            bad += 1
            print(f"{kind}: {errors}", file=sys.stderr, flush=True)
    print(f"{kind}: {len(cases)} runs, {bad} with errors", flush=True)
    assert not bad


def side_by_side(tasks):
    """Run each task in a process and a mount namespace of its own with its own journal. Asserts
    that all tasks succeed."""
    os.makedirs("/run/systemd", exist_ok=True)
    workers = []
    for task, *arguments in tasks:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                sys_call(libc.unshare, CLONE_NEWNS)
                mount("tmpfs", "/run/systemd", "tmpfs")
                task(*arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        workers.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in workers]
    assert not any(statuses), statuses


def matrix(kind, errors):
    """Run the cases of a session with these errors, or with all. A call that the session "literal"
    makes fails with every error there, and with one error in each other session."""
    others = {call for call, _ in ordinals(SESSIONS["literal"])} if kind != "literal" else set()
    cases = [case for case in selected(ordinals(SESSIONS[kind]), others)
             if case[2] in (errors or ERRORS)]
    count = 2 * os.cpu_count()  # some runs wait for a timeout
    side_by_side([(work, kind, number, cases[number - 1 :: count])
                  for number in range(1, count + 1)])


# Under valgrind

# valgrind makes calls that the sandbox denies, so strace makes the sandbox unavailable.
VALGRIND = ("strace", "-f", "-b", "execve", "-qq", "-o", "/dev/null",
            "-e", "trace=seccomp,landlock_restrict_self",
            "-e", "inject=seccomp,landlock_restrict_self:error=EPERM",
            "valgrind", "-q", "--vgdb=no", "--error-exitcode=99")
LONG_TIMEOUTS = ("-o", "sandbox best-effort", "-o", "timeout handshake 20s",
                 "-o", "timeout connect 10s", "-o", "timeout idle 20s",
                 "-o", "timeout half-closed 20s")


def valgrind_errors(kind):
    """The errors that valgrind has logged, without its warnings about unknown system calls."""
    lines = itertools.chain(*(open(path, encoding="utf-8")
                              for path in glob.glob(f"{WORLD}/{kind}.*")))
    return "".join(line for line in lines if line.startswith("=="))


def memcheck(number, kind):
    Handler.count = number * 1000000
    session = SESSIONS[kind]()
    session.options = (*session.options, *LONG_TIMEOUTS)
    run = Run(session, (*VALGRIND, f"--log-file={WORLD}/{kind}.%p"))
    run.deadline += 40
    outcome = run.outcome()
    wrong = errors_of(session, outcome)
    assert outcome.status == 0 and not wrong, \
        f"{kind}: {wrong}, status {outcome.status}: {outcome.stderr}{valgrind_errors(kind)}"
    check(outcome.records[0]["STDSOCKS_END"], "closed")
