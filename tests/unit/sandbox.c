/* SPDX-License-Identifier: ISC */
/* sandbox/sandbox: each stage denies the system calls that the table does not allow. This program
 * evaluates the filters for each attempt, and then makes the attempt in a child process. With an
 * argument, it makes no attempts, for qemu-user, which has no seccomp(2). */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf.h"
#include "check.h"
#include "sandbox/landlock.h"

/* The descriptors that are open when the stage begins. Their numbers are fixed, so that the table
 * can contain them. The other end of PAIR is PAIR + 1. */
enum { LOG = SYSCALLS_LOG_FD, HANDOFF = SYSCALLS_HANDOFF_FD };
enum { LOCAL = 100, ABSTRACT, TCP, TCP_IPV6, UDP, LISTENING, PAIR };

static char file[256], new_file[sizeof file + 4];
static char page[4096] __attribute__((aligned(4096)));
static const int on = 1, zero = 0;
static int some_int, two_ints[2];
static char some_bytes[256];
static socklen_t some_len = sizeof some_bytes;
static struct pollfd readable = {.fd = PAIR, .events = POLLIN};
static struct iovec one_byte = {.iov_base = "x", .iov_len = 1};
static struct sockaddr_in any_port = {.sin_family = AF_INET};
static struct sockaddr_in refusing = {.sin_family = AF_INET};
static struct sockaddr_in discarding = {.sin_family = AF_INET};
static const sa_family_t unspecified = AF_UNSPEC;
static const struct sockaddr_un nowhere = {
	.sun_family = AF_UNIX, .sun_path = "/stdsocks-sandbox-nowhere"};
static const struct linger no_linger;

/* The address of ABSTRACT, which was bound before the stage begins. */
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};

static struct msghdr message = {.msg_iov = &one_byte, .msg_iovlen = 1};
static struct msghdr no_message;
static struct mmsghdr to_port = {.msg_hdr = {.msg_name = &discarding,
					 .msg_namelen = sizeof discarding,
					 .msg_iov = &one_byte,
					 .msg_iovlen = 1}};
static struct mmsghdr to_abstract = {.msg_hdr = {.msg_name = &abstract,
					     .msg_namelen = sizeof abstract,
					     .msg_iov = &one_byte,
					     .msg_iovlen = 1}};
static struct mmsghdr no_messages;

static const uint64_t read_only[3] = {O_RDONLY}, clone3_args[8] = {[4] = SIGCHLD};
static const struct timespec no_time;
static const struct timeval a_second = {.tv_sec = 1};
static const struct itimerval no_timer;
static const struct rlimit no_limit;
static struct __user_cap_header_struct capabilities = {.version = _LINUX_CAPABILITY_VERSION_3};
static const struct __user_cap_data_struct no_capabilities[_LINUX_CAPABILITY_U32S_3];

static int landlock;
static pid_t parent;

/* Moves a new descriptor to its number. */
static void open_as(int number, int fd)
{
	CHECK(fd >= 0 && fd < LOCAL);
	if (fd == number)
		return;
	CHECK(dup2(fd, number) == number);
	close(fd);
}

/* Opens new sockets for each path, because attempts change their state. */
static void open_sockets(void)
{
	int pair[2];

	open_as(LOG, socket(AF_UNIX, SOCK_DGRAM, 0));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	open_as(HANDOFF, pair[0]);
	close(pair[1]);
	open_as(LOCAL, socket(AF_UNIX, SOCK_DGRAM, 0));
	open_as(TCP, socket(AF_INET, SOCK_STREAM, 0));
	open_as(TCP_IPV6, socket(AF_INET6, SOCK_STREAM, 0));
	open_as(UDP, socket(AF_INET, SOCK_DGRAM, 0));
	open_as(LISTENING, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK(bind(LISTENING, (struct sockaddr *)&any_port, sizeof any_port) == 0);
	CHECK(listen(LISTENING, 1) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	open_as(PAIR, pair[0]);
	open_as(PAIR + 1, pair[1]);
}

static void prepare(void)
{
	landlock = landlock_version();
	any_port.sin_addr.s_addr = refusing.sin_addr.s_addr = discarding.sin_addr.s_addr =
		htonl(INADDR_LOOPBACK);
	refusing.sin_port = htons(1);
	discarding.sin_port = htons(9);
	snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "stdsocks-sandbox-%d",
		(int)parent);
	open_as(ABSTRACT, socket(AF_UNIX, SOCK_DGRAM, 0));
	CHECK(bind(ABSTRACT, (struct sockaddr *)&abstract, sizeof abstract) == 0);
}

/* -- Attempts that are not a single system call with fixed arguments. Each returns 0 or more on
 * success, or -1 and sets errno. */

static long try_fork(void)
{
	return fork();
}

/* The child ends at once. */
static long try_clone(void)
{
	const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

#ifdef __x86_64__
static long try_int80(void)
{
	long result;
	/* Versions of clang-format disagree on the colons. */
	/* clang-format off */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L)
		: "memory", "r8", "r9", "r10", "r11");
	/* clang-format on */
	return result;
}
#endif

#define KILLED (-1)

/* Short names as in sandbox/syscalls.c. */
#define CONNECT       SYSCALLS_CONNECT
#define RESOLVE       SYSCALLS_RESOLVE
#define BIND          SYSCALLS_BIND
#define ASSOCIATE     SYSCALLS_ASSOCIATE
#define RELAYING      SYSCALLS_RELAYING
#define DATAGRAMS     SYSCALLS_DATAGRAMS
#define TCP_STAGES    (CONNECT | BIND)
#define BEFORE_MOVING (TCP_STAGES | ASSOCIATE)
#define HANDSHAKES    (BEFORE_MOVING | RESOLVE)
#define NAMES         (HANDSHAKES | DATAGRAMS)
#define MOVING        (RELAYING | DATAGRAMS)
#define ALL           (HANDSHAKES | MOVING)
#define ACCEPT        SYSCALLS_ACCEPT
#define ZYGOTE        SYSCALLS_ZYGOTE
#define NONE          0U

/* The stages of a process. If several commands are configured, they share the first stage. */
#define PATH(...) .name = #__VA_ARGS__, .stages = {__VA_ARGS__}
static const struct path {
	const char *name;
	unsigned stages[3];
} paths[] = {{PATH(CONNECT)}, {PATH(RESOLVE)}, {PATH(BIND)}, {PATH(ASSOCIATE)},
	{PATH(CONNECT | RESOLVE)}, {PATH(CONNECT | BIND)}, {PATH(CONNECT | ASSOCIATE)},
	{PATH(HANDSHAKES)}, {PATH(HANDSHAKES, CONNECT)}, {PATH(HANDSHAKES, RESOLVE)},
	{PATH(HANDSHAKES, BIND)}, {PATH(HANDSHAKES, ASSOCIATE)}, {PATH(CONNECT, RELAYING)},
	{PATH(BIND, RELAYING)}, {PATH(ASSOCIATE, DATAGRAMS)}, {PATH(HANDSHAKES, CONNECT, RELAYING)},
	{PATH(HANDSHAKES, BIND, RELAYING)}, {PATH(HANDSHAKES, ASSOCIATE, DATAGRAMS)},
	/* The zygote of prefork mode, and its children. */
	{PATH(CONNECT | ACCEPT | ZYGOTE)}, {PATH(CONNECT | ACCEPT)}, {PATH(RESOLVE | ACCEPT)},
	{PATH(CONNECT | ACCEPT, RELAYING)}, {PATH(HANDSHAKES | ACCEPT, CONNECT, RELAYING)}};

/* Placeholders for arguments that are known only in the child process: PIDs. */
#define PARENT LONG_MIN
#define ITSELF (LONG_MIN + 1)

#define P(object) (long)(object)
/* open(3), as the C library calls it. */
#if defined __GLIBC__ || !defined SYS_open
#define OPEN(path, ...) SYS_openat, AT_FDCWD, P(path), __VA_ARGS__
#else
#define OPEN(path, ...) SYS_open, P(path), __VA_ARGS__
#endif
#define CLONE(flags)            SYS_clone, (flags) | SIGCHLD, 0, 0, 0, 0
#define SET(fd, level, name, v) SYS_setsockopt, fd, level, name, P(&(v)), sizeof(v)
#define GET(fd, level, name)    SYS_getsockopt, fd, level, name, P(some_bytes), P(&some_len)
#define TO(to)                  P(&(to)), sizeof(to)
#define ANON                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
#define SETFILTER               SECCOMP_SET_MODE_FILTER
#define PACKETS                 SOCK_SEQPACKET | SOCK_CLOEXEC
#define HIGH                    (1L << 32)

/* An attempt is a system call with its arguments, or a function. In the given stages, its outcome
 * is 0 if the call succeeds, an errno of the kernel if it fails, or -SIGSYS if the process is
 * killed. In all other stages the outcome is EPERM. Several stages together allow each call that
 * one of them allows. Earlier rows may change the state of the sockets for later rows. */
/* clang-format off */
static const struct attempt {
	const char *what;
	unsigned stages;
	int outcome;
	long (*make)(void);
	long call[7];
	int landlock; /* first version of Landlock that denies it, if the filter allows the call */
} attempts[] = {
#define NEVER(what, ...)                  {what, NONE, 0, NULL, {__VA_ARGS__}, 0}
#define MAY(what, stages, ...)            {what, stages, 0, NULL, {__VA_ARGS__}, 0}
#define MEETS(what, stages, outcome, ...) {what, stages, outcome, NULL, {__VA_ARGS__}, 0}
	NEVER("open a file", OPEN(file, O_RDONLY)),
	NEVER("open /proc/self/mem", OPEN("/proc/self/mem", O_RDONLY)),
	NEVER("open a file to write", OPEN(file, O_WRONLY)),
	NEVER("create a file", OPEN(new_file, O_RDONLY | O_CREAT, 0600)),
	NEVER("openat2", 437, AT_FDCWD, P(file), P(read_only), sizeof read_only),
	NEVER("memfd_create", SYS_memfd_create, P("x"), 0),
	NEVER("execute", SYS_execve, P("/bin/true"), 0, 0),
	NEVER("execveat", SYS_execveat, AT_FDCWD, P("/bin/true"), 0, 0, 0),
	{"fork of the C library", NONE, 0, try_fork, {0}, 0},
	{"fork", ZYGOTE, 0, try_clone, {0}, 0},
	NEVER("fork, with memory shared", CLONE(CLONE_VM | CLONE_VFORK)),
	NEVER("fork, with files shared", CLONE(CLONE_FILES)),
	NEVER("fork, as the parent's child", CLONE(CLONE_PARENT)),
	NEVER("fork, in a namespace", CLONE(CLONE_NEWUSER)),
	NEVER("clone3", 435, P(clone3_args), sizeof clone3_args),
	MAY("a TCP socket", NAMES, SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	MAY("a UDP socket", NAMES, SYS_socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
	NEVER("an MPTCP socket", SYS_socket, AF_INET, SOCK_STREAM, 262),
	NEVER("a raw socket", SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP),
	NEVER("a ping socket", SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
	NEVER("a Unix socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0),
	MAY("a netlink socket for routes", NAMES, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	NEVER("another netlink socket", SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG),
	NEVER("a netlink datagram socket", SYS_socket, AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),
	NEVER("a packet socket", SYS_socket, AF_PACKET, SOCK_RAW, 0),
	NEVER("a vsock socket", SYS_socket, AF_VSOCK, SOCK_STREAM, 0),
	NEVER("socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, P(two_ints)),
	NEVER("socketpair, of packets", SYS_socketpair, AF_UNIX, PACKETS, 0, P(two_ints)),
	NEVER("socketpair, of datagrams", SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, P(two_ints)),
	NEVER("a socket, high domain bit", SYS_socket, HIGH | AF_INET, SOCK_STREAM, IPPROTO_TCP),
	NEVER("a socket, high protocol bit", SYS_socket, AF_INET, SOCK_STREAM, HIGH | IPPROTO_TCP),
	MEETS("connect", NAMES, ECONNREFUSED, SYS_connect, TCP, TO(refusing)),
	MAY("disconnect", NAMES | RELAYING, SYS_connect, TCP, TO(unspecified)),
	MAY("bind", BEFORE_MOVING, SYS_bind, TCP, TO(any_port)),
	MAY("listen", BIND, SYS_listen, TCP, 1),
	MEETS("accept", BIND | ACCEPT, EAGAIN, SYS_accept4, LISTENING, 0, 0, SOCK_NONBLOCK),
	NEVER("send to an address", SYS_sendto, UDP, P("x"), 1, 0, TO(discarding)),
	{"send to an abstract socket", NONE, 0, NULL,
		{SYS_sendto, LOCAL, P("x"), 1, 0, TO(abstract)}, 6},
	NEVER("TCP fast open", SYS_sendto, TCP, P("x"), 1, MSG_FASTOPEN, TO(discarding)),
	MEETS("connect the log", ZYGOTE, ENOENT, SYS_connect, LOG, TO(nowhere)),
	NEVER("give the log a name", SYS_bind, LOG, TO(any_port)),
	MEETS("sendmsg to the supervisor", ACCEPT, EPIPE,
		SYS_sendmsg, HANDOFF, P(&message), MSG_NOSIGNAL),
	NEVER("sendmsg", SYS_sendmsg, PAIR, P(&message), 0),
	NEVER("sendmsg on the log's socket", SYS_sendmsg, LOG, P(&message), 0),
	NEVER("TCP fast open, with a message", SYS_sendmsg, HANDOFF, P(&message), MSG_FASTOPEN),
	NEVER("recvmsg", SYS_recvmsg, PAIR, P(&no_message), MSG_DONTWAIT),
	MAY("sendmmsg to an address", ASSOCIATE | DATAGRAMS,
		SYS_sendmmsg, UDP, P(&to_port), 1, 0),
	{"sendmmsg to an abstract socket", NONE, 0, NULL,
		{SYS_sendmmsg, LOCAL, P(&to_abstract), 1, 0}, 6},
	NEVER("sendmmsg on the log's socket", SYS_sendmmsg, LOG, P(&to_abstract), 1, 0),
	NEVER("sendmmsg to the client", SYS_sendmmsg, STDIN_FILENO, P(&to_abstract), 1, 0),
	MEETS("recvmmsg", ASSOCIATE | DATAGRAMS, EAGAIN,
		SYS_recvmmsg, PAIR, P(&no_messages), 1, MSG_DONTWAIT, 0),
	NEVER("recvmmsg on the log's socket",
		SYS_recvmmsg, LOG, P(&no_messages), 1, MSG_DONTWAIT, 0),
	NEVER("recvmmsg from the client",
		SYS_recvmmsg, STDIN_FILENO, P(&no_messages), 1, MSG_DONTWAIT, 0),
	NEVER("TCP fast open, of many", SYS_sendmmsg, TCP, P(&to_port), 1, MSG_FASTOPEN),
	NEVER("a peer's pidfd", GET(PAIR, SOL_SOCKET, 77)), /* SO_PEERPIDFD */
	NEVER("the firewall's rules", SET(TCP, IPPROTO_IP, 64, on)), /* IPT_SO_SET_REPLACE */
	MAY("a Unix datagram socket", ZYGOTE, SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	NEVER("open a directory", OPEN("/etc", O_RDONLY | O_DIRECTORY)),
	NEVER("a path's descriptor", OPEN("/etc/shadow", O_PATH)),
	MAY("send", ALL, SYS_sendto, PAIR, P("x"), 1, MSG_NOSIGNAL, 0, 0),
	MAY("write", ALL, SYS_write, PAIR, P("x"), 1),
	MEETS("receive", ALL, EAGAIN, SYS_recvfrom, PAIR, P(some_bytes), 1, MSG_DONTWAIT, 0, 0),
	MAY("SO_KEEPALIVE", BEFORE_MOVING, SET(TCP, SOL_SOCKET, SO_KEEPALIVE, on)),
	MAY("SO_OOBINLINE", BEFORE_MOVING | ACCEPT, SET(TCP, SOL_SOCKET, SO_OOBINLINE, on)),
	MAY("SO_LINGER", BIND, SET(TCP, SOL_SOCKET, SO_LINGER, no_linger)),
	NEVER("SO_REUSEADDR", SET(TCP, SOL_SOCKET, SO_REUSEADDR, on)),
	NEVER("SO_ATTACH_FILTER", SET(TCP, SOL_SOCKET, SO_ATTACH_FILTER, some_bytes)),
	NEVER("TCP_ULP", SYS_setsockopt, TCP, IPPROTO_TCP, 31, P("tls"), 3),
	NEVER("TCP_CONGESTION", SYS_setsockopt, TCP, IPPROTO_TCP, TCP_CONGESTION, P("reno"), 4),
	NEVER("an option, high bit", SET(TCP, SOL_SOCKET, HIGH | SO_KEEPALIVE, on)),
	MAY("TCP_NODELAY", BEFORE_MOVING, SET(TCP, IPPROTO_TCP, TCP_NODELAY, on)),
	MAY("IPV6_V6ONLY", NAMES,
		SET(TCP_IPV6, IPPROTO_IPV6, IPV6_V6ONLY, on)),
	MAY("SO_RCVLOWAT", NAMES, SET(TCP, SOL_SOCKET, SO_RCVLOWAT, on)),
	MAY("UDP_GRO", ASSOCIATE, SET(UDP, IPPROTO_UDP, UDP_GRO, on)),
	NEVER("UDP_SEGMENT", SET(UDP, IPPROTO_UDP, UDP_SEGMENT, zero)),
	MAY("SO_SNDTIMEO", ALL, SET(PAIR, SOL_SOCKET, SO_SNDTIMEO, a_second)),
	MAY("SO_ERROR", HANDSHAKES | RELAYING, GET(TCP, SOL_SOCKET, SO_ERROR)),
	MAY("TCP_INFO", TCP_STAGES | RELAYING, GET(TCP, IPPROTO_TCP, TCP_INFO)),
	MAY("what is unsent", TCP_STAGES | RELAYING, SYS_ioctl, PAIR, TIOCOUTQ, P(&some_int)),
	MAY("getsockname", NAMES, SYS_getsockname, PAIR, P(some_bytes), P(&some_len)),
	MAY("SO_TYPE", ACCEPT, GET(TCP, SOL_SOCKET, SO_TYPE)),
	MAY("SO_ACCEPTCONN", ACCEPT, GET(TCP, SOL_SOCKET, SO_ACCEPTCONN)),
	MAY("getpeername", CONNECT | ACCEPT, SYS_getpeername, PAIR, P(some_bytes), P(&some_len)),
	MAY("shutdown", ALL, SYS_shutdown, PAIR, SHUT_WR),
	MAY("ppoll", ALL, SYS_ppoll, P(&readable), 1, P(&no_time), 0, 0),
	NEVER("dup", SYS_dup, PAIR),
	NEVER("F_DUPFD", SYS_fcntl, PAIR, F_DUPFD, 0),
	NEVER("pipe", SYS_pipe2, P(two_ints), 0),
	NEVER("eventfd", SYS_eventfd2, 0, 0),
	NEVER("memory", SYS_mmap, 0, 4096, PROT_READ, ANON),
	NEVER("the heap", SYS_brk, 0),
	NEVER("executable memory", SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, ANON),
	NEVER("make memory executable", SYS_mprotect, P(page), 4096, PROT_READ | PROT_EXEC),
	NEVER("mremap", SYS_mremap, P(page), 4096, 8192, 1, 0),
	NEVER("signal the parent", SYS_kill, PARENT, 0),
	MEETS("signal itself", ZYGOTE, -SIGUSR1, SYS_kill, ITSELF, SIGUSR1),
	NEVER("signal everyone", SYS_kill, -1, 0),
	MEETS("end a child", ZYGOTE, ESRCH, SYS_kill, INT_MAX, SIGUSR1),
	MAY("the parent's PID", ACCEPT, SYS_getppid, 0),
	MAY("a process group of its own", ACCEPT, SYS_setpgid, 0, 0),
	MAY("the signal mask", ACCEPT, SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 8),
	NEVER("a signal handler", SYS_rt_sigaction, SIGTERM, 0, 0, 8),
	MAY("the status of a file", ACCEPT, SYS_newfstatat, AT_FDCWD, P(file), P(some_bytes), 0),
	NEVER("tgkill", SYS_tgkill, ITSELF, ITSELF, SIGTERM),
	NEVER("ptrace", SYS_ptrace, PTRACE_TRACEME, 0, 0, 0),
	NEVER("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0),
	NEVER("pidfd_open", 434, ITSELF, 0),
	NEVER("pidfd_getfd", 438, 0, 0, 0),
	NEVER("io_uring", 425, 1, 0),
	NEVER("bpf", SYS_bpf, 0, 0, 0),
	NEVER("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0),
	NEVER("userfaultfd", SYS_userfaultfd, 0),
	NEVER("unshare", SYS_unshare, CLONE_NEWUSER),
	NEVER("setns", SYS_setns, 0, 0),
	NEVER("keyctl", SYS_keyctl, 0, 0, 0, 0, 0),
	NEVER("add_key", SYS_add_key, P("user"), P("x"), P("x"), 1, 0),
	NEVER("chroot", SYS_chroot, P("/")),
	NEVER("mount", SYS_mount, P(""), P("/"), P(""), 0, 0),
	NEVER("unlink", SYS_unlinkat, AT_FDCWD, P(file), 0),
	NEVER("setuid", SYS_setuid, 0),
	NEVER("personality", SYS_personality, 0xffffffff),
	MAY("capset", BEFORE_MOVING, SYS_capset, P(&capabilities), P(no_capabilities)),
	MEETS("a filter", BEFORE_MOVING | ACCEPT, EFAULT, SYS_seccomp, SETFILTER, 0, 0),
	NEVER("a filter's descriptor", SYS_seccomp, SETFILTER, 8, 0), /* NEW_LISTENER */
	NEVER("strict mode", SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0),
	MEETS("wait for a child", ALL, ECHILD, SYS_wait4, -1, 0, WNOHANG, 0),
	NEVER("a timer", SYS_setitimer, ITIMER_REAL, P(&no_timer), 0),
	NEVER("prctl", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0),
	MAY("end with the parent", ZYGOTE, SYS_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0),
	MAY("outlive the parent", ACCEPT, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0),
	NEVER("another signal at the parent's end",
		SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0),
	NEVER("close_range", SYS_close_range, 1000, ~0U, 0),
	MAY("random bytes", NAMES, SYS_getrandom, P(some_bytes), 1, 0),
	NEVER("limits", SYS_prlimit64, 0, RLIMIT_NOFILE, 0, P(some_bytes)),
	NEVER("new limits", SYS_prlimit64, 0, RLIMIT_CORE, P(&no_limit), 0),
	NEVER("the parent's limits", SYS_prlimit64, PARENT, RLIMIT_NOFILE, 0, P(some_bytes)),
	MAY("the clock", ALL, SYS_clock_gettime, CLOCK_MONOTONIC, P(some_bytes)),
	/* All 64 bits of an argument are compared. The kernel ignores the upper half of an int. */
	NEVER("a socket, high type bit", SYS_socket, AF_INET, HIGH | SOCK_STREAM, IPPROTO_TCP),
	MAY("disconnect, high bit", NAMES, SYS_connect, TCP, P(&unspecified), HIGH | 2),
	NEVER("fork, high bit", CLONE(HIGH)),
	NEVER("SO_ERROR, high level bit", GET(TCP, HIGH | SOL_SOCKET, SO_ERROR)),
	NEVER("SO_ERROR, high name bit", GET(TCP, SOL_SOCKET, HIGH | SO_ERROR)),
	NEVER("keepalive, high level bit", SET(TCP, HIGH | SOL_SOCKET, SO_KEEPALIVE, on)),
	NEVER("IPV6_V6ONLY, high name bit", SET(TCP_IPV6, IPPROTO_IPV6, HIGH | IPV6_V6ONLY, on)),
	NEVER("what is unsent, high bit", SYS_ioctl, PAIR, HIGH | TIOCOUTQ, P(&some_int)),
	NEVER("end a child, high bit", SYS_kill, INT_MAX, HIGH | SIGUSR1),
	NEVER("end with the parent, high", SYS_prctl, HIGH | PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0),
	NEVER("a filter, high operation bit", SYS_seccomp, HIGH | SETFILTER, 0, 0),
	NEVER("a filter, high flag bit", SYS_seccomp, SETFILTER, HIGH, 0),
	NEVER("send to a high address", SYS_sendto, UDP, P("x"), 1, 0, HIGH, sizeof discarding),
	NEVER("TCP fast open, high bit", SYS_sendto, TCP, P("x"), 1, HIGH | MSG_FASTOPEN, 0, 0),
#ifdef __x86_64__
	MEETS("a call of x32", ALL, -SIGSYS, 0x40000000 | SYS_getpid),
	/* SIGSEGV if the kernel does not support it */
	{"int 0x80", ALL, KILLED, try_int80, {0}, 0},
#endif
};
/* clang-format on */

static long argument(const struct attempt *attempt, size_t i)
{
	long value = attempt->call[i];
	return value == PARENT ? parent : value == ITSELF ? getpid() : value;
}

/* Returns the last stage of the path. */
static unsigned last_stage(const struct path *path)
{
	size_t last = COUNT(path->stages) - 1;
	while (path->stages[last] == 0)
		last--;
	return path->stages[last];
}

/* -- The verdicts of the filters. */

#ifdef __x86_64__
#define X32_VERDICT SECCOMP_RET_KILL_PROCESS
#else
#define X32_VERDICT BPF_DENIED
#endif
#define X32_BIT 0x40000000U

static const uint32_t architectures[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
	AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, AUDIT_ARCH_RISCV32, 0};

/* Collects the filters that enter() and sandbox_enter_stage() install. */
static void collect_filters(const struct path *path)
{
	const unsigned first = path->stages[0];
	const bool is_child_of_zygote = first & ACCEPT && !(first & ZYGOTE);

	bpf_count = 0;
	bpf_add(is_child_of_zygote ? first | ZYGOTE : first, 0);
	if (is_child_of_zygote)
		bpf_add_denial();
	for (size_t i = 1; i < COUNT(path->stages) && path->stages[i]; i++)
		bpf_add(path->stages[i], 0);
}

static struct seccomp_data data_of(const struct attempt *attempt)
{
	struct seccomp_data data = {.nr = (int)attempt->call[0], .arch = BPF_ARCH};

	for (size_t i = 0; i < COUNT(data.args); i++)
		data.args[i] = (uint64_t)argument(attempt, i + 1);
	return data;
}

static uint32_t wanted_verdict(const struct attempt *attempt, unsigned stage)
{
	if (!(attempt->stages & stage))
		return BPF_DENIED;
	return attempt->outcome == -SIGSYS ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW;
}

/* Checks the verdicts on an attempt, on the same attempt with another number, and on the same
 * attempt by a program of another architecture. */
static void check_verdicts(const struct attempt *attempt, unsigned stage)
{
	struct seccomp_data data = data_of(attempt);

	CHECK_NUMBER(bpf_verdict(&data), wanted_verdict(attempt, stage));
	data.nr = (int)((unsigned)data.nr | X32_BIT);
	CHECK_NUMBER(bpf_verdict(&data), X32_VERDICT);
	data.nr = -1; /* a tracer skips a call */
	CHECK_NUMBER(bpf_verdict(&data), SECCOMP_RET_ALLOW);
	data = data_of(attempt);
	for (size_t i = 0; i < COUNT(architectures); i++) {
		data.arch = architectures[i];
		if (data.arch != BPF_ARCH)
			CHECK_NUMBER(bpf_verdict(&data), SECCOMP_RET_KILL_PROCESS);
	}
}

/* A function may make several calls, and Landlock is not part of the filters. */
static void the_filters_have_the_verdicts_of_the_table(void)
{
	static char about[80]; /* static: check_about points to it until the next test */

	EACH_ROW(path, paths, name) {
		collect_filters(path);
		for (size_t i = 0; i < COUNT(attempts); i++) {
			if (attempts[i].make || attempts[i].landlock)
				continue;
			snprintf(about, sizeof about, "%s, in %s", attempts[i].what, path->name);
			check_about = about;
			check_verdicts(&attempts[i], last_stage(path));
		}
	}
}

/* Until the next stage, a process may kill the group of the checkpassword program. The C library
 * may sign-extend the PID or not. */
#define CHECKER 1234
static const struct {
	const char *name;
	uint64_t pid, signal;
	bool is_allowed;
} kills[] = {{"sign-extended", (uint64_t)-CHECKER, SIGKILL, true},
	{"zero-extended", (uint32_t)-CHECKER, SIGKILL, true},
	{"extended by other bits", (uint32_t)-CHECKER | HIGH, SIGKILL, false},
	{"the process alone", CHECKER, SIGKILL, false}, {"its own group", 0, SIGKILL, false},
	{"every process", (uint64_t)-1, SIGKILL, false},
	{"another group", (uint64_t)(-CHECKER - 1), SIGKILL, false},
	{"another signal", (uint64_t)-CHECKER, SIGTERM, false},
	{"a high bit of the signal", (uint64_t)-CHECKER, HIGH | SIGKILL, false}};

static void check_kills(bool is_possible)
{
	EACH_ROW(row, kills, name) {
		const struct seccomp_data data = {
			.nr = SYS_kill, .arch = BPF_ARCH, .args = {row->pid, row->signal}};
		CHECK_NUMBER(bpf_verdict(&data),
			row->is_allowed && is_possible ? SECCOMP_RET_ALLOW : BPF_DENIED);
	}
}

static void the_filters_allow_to_kill_the_checker_only(void)
{
	bpf_count = 0;
	bpf_add(HANDSHAKES, CHECKER);
	check_kills(true);
	bpf_add(CONNECT, 0);
	check_kills(false);
}

#define VERDICTS                                                                                   \
	the_filters_have_the_verdicts_of_the_table, the_filters_allow_to_kill_the_checker_only

/* -- The attempts in child processes. */

/* The outcomes, in memory that is shared with the child processes. */
#define NOT_MADE 255
static int *outcomes;

static int make(const struct attempt *a)
{
	long result = a->make ? a->make()
			      : syscall(a->call[0], argument(a, 1), argument(a, 2), argument(a, 3),
					argument(a, 4), argument(a, 5), argument(a, 6));
	return result < 0 ? errno : 0;
}

/* Returns the expected outcome in the last stage of the path. */
static int wanted(const struct attempt *attempt, const struct path *path)
{
	return attempt->stages & last_stage(path) ? attempt->outcome : EPERM;
}

/* Forks. Because the sandbox may deny exit(2), the kernel kills the child when this process ends,
 * or after one second of processor time. */
static pid_t start(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CPU, &(struct rlimit){.rlim_cur = 1, .rlim_max = 1});
	}
	return pid;
}

/* A child of the zygote has the zygote's filter, too. Returns 0 or -errno. */
static int enter(unsigned stages)
{
	const char *part;
	int no_landlock;

	if (!(stages & ACCEPT) || stages & ZYGOTE)
		return sandbox_start(stages, 0, &part, &no_landlock);
	const int error = sandbox_start(stages | ZYGOTE, 0, &part, &no_landlock);
	return error < 0 ? error : syscalls_deny_zygote();
}

/* Makes the attempts [first, end) in a new process. */
static void make_some(const struct path *path, size_t first, size_t end)
{
	int status;
	const char *part;
	pid_t pid = start();
	if (pid == 0) {
		if (enter(path->stages[0]) < 0)
			_exit(1);
		for (size_t i = 1; i < COUNT(path->stages) && path->stages[i]; i++)
			if (sandbox_enter_stage(path->stages[i], &part) < 0)
				_exit(1);
		for (size_t i = first; i < end; i++)
			outcomes[i] = make(&attempts[i]);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	while (first < end && outcomes[first] != NOT_MADE)
		first++;
	if (first < end && WIFSIGNALED(status))
		outcomes[first] = -WTERMSIG(status);
}

/* Consecutive attempts that the sandbox denies share a process, because they have no effect. */
static void make_all(const struct path *path)
{
	for (size_t i = 0, end; i < COUNT(attempts); i = end) {
		end = i + 1;
		while (end < COUNT(attempts) && wanted(&attempts[i], path) == EPERM &&
			wanted(&attempts[end], path) == EPERM)
			end++;
		make_some(path, i, end);
	}
}

static void denies_what_the_table_does_not_allow(void)
{
	static char about[80]; /* static: check_about points to it until the next test */
	const size_t size = COUNT(attempts) * sizeof *outcomes;

	outcomes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(outcomes != MAP_FAILED))
		return;
	EACH_ROW(path, paths, name) {
		for (size_t i = 0; i < COUNT(attempts); i++)
			outcomes[i] = NOT_MADE;
		open_sockets();
		make_all(path);
		for (size_t i = 0; i < COUNT(attempts); i++) {
			snprintf(about, sizeof about, "%s, in %s", attempts[i].what, path->name);
			check_about = about;
			int want = wanted(&attempts[i], path);
			if (landlock < attempts[i].landlock)
				CHECK(outcomes[i] != NOT_MADE);
			else if (want == KILLED)
				CHECK(outcomes[i] == -SIGSYS || outcomes[i] == -SIGSEGV);
			else
				CHECK_NUMBER(outcomes[i], want);
		}
	}
}

/* With an empty set, the process could not even exit. */
static void refuses_an_empty_set_of_stages(void)
{
	static const unsigned none[] = {0, 1U << 31};
	const char *part = "";
	int no_landlock;

	for (size_t i = 0; i < COUNT(none); i++)
		for (int checker_pid = 0; checker_pid < 2; checker_pid++) {
			pid_t pid = start();
			if (pid == 0) {
				bool refused = sandbox_start(none[i], checker_pid, &part,
						       &no_landlock) == -EINVAL &&
					strcmp(part, "seccomp") == 0 &&
					sandbox_enter_stage(none[i], &part) == -EINVAL;
				_exit(refused ? 0 : 1);
			}
			int status = -1;
			CHECK(waitpid(pid, &status, 0) == pid);
			CHECK_NUMBER(status, 0);
		}
}

int main(int argc, char **argv)
{
	(void)argv;
#ifdef __SANITIZE_ADDRESS__
	return 0; /* AddressSanitizer makes further system calls in each child process */
#endif
	parent = getpid();
	if (argc > 1)
		return CHECK_ALL(VERDICTS);
	const char *tmpdir = getenv("TMPDIR");
	int fd;
	snprintf(file, sizeof file, "%s/stdsocks-sandbox-XXXXXX", tmpdir ? tmpdir : "/tmp");
	fd = mkstemp(file);
	snprintf(new_file, sizeof new_file, "%s.new", file);
	CHECK(fd >= 0);
	close(fd);
	prepare();
	int status = CHECK_ALL(
		VERDICTS, denies_what_the_table_does_not_allow, refuses_an_empty_set_of_stages);
	unlink(file);
	return status;
}
