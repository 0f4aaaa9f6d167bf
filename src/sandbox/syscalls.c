/* SPDX-License-Identifier: ISC */
/* Which system calls each stage of a connection may make, and why. Knows: seccomp.
 * Does not know: when a stage begins. */
#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "no table of system calls for this architecture"
#endif

/* An argument's bits that mask has must be those of value, in all 64 bits. */
struct check {
	unsigned arg;
	uint64_t mask, value;
};

#define CHECKS_MAX 3

struct row {
	int number;
	unsigned stages;
	struct check checks[CHECKS_MAX]; /* a mask of 0 asks for nothing */
};

/* The letters of the table's second column. */
#define C SYSCALLS_CONNECT
#define V SYSCALLS_RESOLVE
#define B SYSCALLS_BIND
#define A SYSCALLS_ASSOCIATE
#define R SYSCALLS_RELAYING
#define U SYSCALLS_DATAGRAMS
#define L SYSCALLS_LOOKUPS
#define T (C | B | A) /* a handshake that another stage follows */
#define H (T | V)     /* every handshake */
#define N (H | L)     /* whoever looks names up */

/* clang-format off */
#define ANYHOW(name, stages)         {SYS_##name, stages, {{0, 0, 0}}}
#define WHERE(name, stages, ...)     {SYS_##name, stages, {__VA_ARGS__}}
#define IS(arg, value)               {arg, UINT64_MAX, (uint64_t)(value)}
#define IS_BUT_FOR(arg, bits, value) {arg, ~(uint64_t)(bits), (uint64_t)(value)}
#define HAS_NONE_OF(arg, bits)       {arg, (uint64_t)(bits), 0}

#define SOCKET(stages, family, type, protocol)                                                     \
	WHERE(socket, stages, IS(0, family), IS_BUT_FOR(1, SOCK_CLOEXEC | SOCK_NONBLOCK, type),         \
		IS(2, protocol))
#define UNWANTED (O_PATH | O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

/* Alphabetical. A call that stands more than once may be made in each of these ways; what stands
 * nowhere, in none. The stages add up: what the second one allows, the first one has to allow. */
static const struct row table[] = {
	ANYHOW(accept4, B),                  /* the peer's call */
	ANYHOW(bind, T),                     /* the source address */
	ANYHOW(brk, N),                      /* malloc(3), for the resolver */
	ANYHOW(capset, T),                   /* the next stage has none */
	ANYHOW(clock_gettime, H | R | U | L), /* where the vDSO has no clock */
#if defined __GLIBC__ || !defined SYS_fork
	WHERE(clone, A | L, IS_BUT_FOR(0, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, SIGCHLD)), /* fork(3): a process that looks names up, and one for each of them */
#endif
	ANYHOW(close, H | R | U | L),        /* losers of the race; a pipe's end */
	ANYHOW(close_range, A),              /* what the process for names does not need */
	ANYHOW(connect, N),                  /* upstream; the resolver's sockets */
	WHERE(connect, R, IS(2, sizeof(sa_family_t))), /* only AF_UNSPEC is that short: a reset */
	ANYHOW(dup, A),                      /* the way to it becomes its descriptor 0 */
	ANYHOW(exit_group, H | R | U | L),   /* the end */
#if !defined __GLIBC__ && defined SYS_fork
	ANYHOW(fork, A | L),                 /* a process that looks names up, and one for each of them */
#endif
	ANYHOW(getpeername, C),              /* where the connection leads */
	ANYHOW(getpid, H | R | U),           /* a line to syslog has it */
	ANYHOW(getsockname, N),              /* our end of it, for the reply; RFC 6724: the source */
	WHERE(getsockopt, C | B | R, IS(1, SOL_SOCKET), IS(2, SO_ERROR)), /* why a socket failed */
	WHERE(getsockopt, C | B | R, IS(1, IPPROTO_TCP), IS(2, TCP_INFO)), /* whether one is closed, before a reset */
	WHERE(getsockopt, A | U, IS(1, SOL_SOCKET), IS(2, SO_MEMINFO)), /* how many datagrams there was no room for */
	WHERE(ioctl, N, IS(1, SIOCGIFINDEX)), /* a name server like fe80::1%eth0 */
	WHERE(ioctl, C | B | R, IS(1, TIOCOUTQ)), /* whether all was acknowledged, before a reset */
	ANYHOW(listen, B),                   /* for that call */
	WHERE(mmap, N, HAS_NONE_OF(2, PROT_EXEC)), /* malloc(3) */
#ifdef SYS_poll
	ANYHOW(poll, N),                     /* the resolver and the checker wait */
#endif
	ANYHOW(ppoll, H | R | U),            /* everything else waits */
	WHERE(prctl, A | L, IS(0, PR_SET_PDEATHSIG)), /* who looks names up ends with who asks */
	WHERE(prlimit64, A, IS(0, 0), IS(2, 0)), /* where there is no close_range: how many there may be */
	ANYHOW(read, H | R | U | L),         /* pipes; the resolver's files */
	ANYHOW(recvfrom, H | R | U | L),     /* sockets */
	ANYHOW(recvmmsg, A | U),             /* datagrams */
	ANYHOW(restart_syscall, N),          /* poll(2) after SIGSTOP and SIGCONT */
	ANYHOW(rt_sigaction, N),             /* the resolver's deadline is an alarm */
	ANYHOW(rt_sigprocmask, N),           /* the same */
	WHERE(seccomp, T, IS(0, SECCOMP_SET_MODE_FILTER), IS(1, 0)), /* the next stage; no descriptor of it */
	WHERE(sendmmsg, A | U, HAS_NONE_OF(3, MSG_FASTOPEN)), /* datagrams */
	WHERE(sendto, R | U, HAS_NONE_OF(3, MSG_FASTOPEN), IS(4, 0)), /* to nobody but the peer */
	ANYHOW(setitimer, N),                /* the resolver's deadline */
	WHERE(setsockopt, T, IS(1, SOL_SOCKET)), /* keepalive, pace, mark, device; a stranger's reset */
	WHERE(setsockopt, T, IS(1, IPPROTO_TCP)), /* no delay, keepalive */
	WHERE(setsockopt, A, IS(1, IPPROTO_UDP), IS(2, UDP_GRO)), /* several datagrams as one */
	WHERE(setsockopt, T, IS(1, IPPROTO_IP), IS(2, IP_BIND_ADDRESS_NO_PORT)), /* the source address */
	WHERE(setsockopt, T, IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY)), /* no mapped addresses */
	WHERE(setsockopt, H | R | U, IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO)), /* how long the journal is waited for */
	ANYHOW(shutdown, H | R | U),         /* the end of one direction */
	SOCKET(C | B, AF_INET, SOCK_STREAM, IPPROTO_TCP), /* upstream; not MPTCP, which is another protocol */
	SOCKET(C | B, AF_INET6, SOCK_STREAM, IPPROTO_TCP), /* the same */
	SOCKET(N, AF_INET, SOCK_STREAM, 0), /* DNS, for a long answer */
	SOCKET(N, AF_INET6, SOCK_STREAM, 0), /* the same */
	SOCKET(N, AF_INET, SOCK_DGRAM, 0), /* DNS; whether an address is our own, or faces another */
	SOCKET(N, AF_INET6, SOCK_DGRAM, 0), /* the same */
	SOCKET(N, AF_UNIX, SOCK_DGRAM, 0), /* what an interface's index is asked on */
	WHERE(socketpair, A, IS(0, AF_UNIX), IS_BUT_FOR(1, SOCK_CLOEXEC, SOCK_SEQPACKET)), /* between it and us */
	ANYHOW(wait4, H | R | U),            /* the checkpassword program; --hex and its translators */
	ANYHOW(write, H | R | U),            /* pipes; standard error */
#ifdef __GLIBC__ /* What its resolver takes beside that. */
	ANYHOW(futex, N),                    /* its locks */
	ANYHOW(getrandom, N),                /* the numbers of its queries */
	WHERE(ioctl, N, IS(1, FIONREAD)), /* the size of an answer */
	ANYHOW(lseek, N),                    /* its files */
	ANYHOW(newfstatat, N),               /* whether resolv.conf has changed */
	WHERE(openat, N, HAS_NONE_OF(2, UNWANTED)), /* its files: sandbox/landlock.h */
	WHERE(sendmmsg, N, HAS_NONE_OF(3, MSG_FASTOPEN)), /* A and AAAA at once */
	WHERE(sendto, N, HAS_NONE_OF(3, MSG_FASTOPEN), IS(4, 0)), /* as in R: its sockets are connected */
	WHERE(setsockopt, N, IS(1, IPPROTO_IP), IS(2, IP_RECVERR)), /* that nobody listens there */
	WHERE(setsockopt, N, IS(1, IPPROTO_IPV6), IS(2, IPV6_RECVERR)), /* the same */
	ANYHOW(set_robust_list, A | L),      /* fork(3) */
	ANYHOW(uname, N),                    /* this host's name */
	ANYHOW(writev, N),                   /* a query over TCP */
#else /* And musl's. */
	ANYHOW(bind, V | L),                 /* its UDP socket */
	ANYHOW(gettid, A | L),               /* fork(3), before 1.2.5 */
	WHERE(fcntl, N, IS(1, F_SETFD)), /* what its open(3) does with O_CLOEXEC */
	WHERE(mprotect, N, HAS_NONE_OF(2, PROT_EXEC)), /* malloc(3), where brk(2) fails */
	ANYHOW(munmap, N),                   /* free(3) */
#ifdef SYS_open
	WHERE(open, N, HAS_NONE_OF(1, UNWANTED)), /* its files: sandbox/landlock.h */
#else
	WHERE(openat, N, HAS_NONE_OF(2, UNWANTED)), /* the same */
#endif
	ANYHOW(recvmsg, N),                  /* an answer, since 1.2.4 */
	WHERE(sendmsg, N, HAS_NONE_OF(2, MSG_FASTOPEN)), /* a query over TCP, since 1.2.4 */
	WHERE(sendto, N, HAS_NONE_OF(3, MSG_FASTOPEN)), /* a query; with that it would connect(2), too */
	WHERE(setsockopt, V | L, IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY)), /* its socket for both families */
	ANYHOW(set_tid_address, A | L),      /* fork(3), since 1.2.5 */
	SOCKET(N, AF_INET, SOCK_DGRAM, IPPROTO_UDP), /* RFC 6724: which source an address would have */
	SOCKET(N, AF_INET6, SOCK_DGRAM, IPPROTO_UDP), /* the same */
#endif
#ifdef __SANITIZE_ADDRESS__ /* So does its own work, at siglongjmp(3) and at the end. */
	WHERE(mmap, R | U, HAS_NONE_OF(2, PROT_EXEC)),
	ANYHOW(munmap, H | R | U | L),
	ANYHOW(sigaltstack, H | R | U | L),
#endif
};
/* clang-format on */

/* -- As a program for the kernel. */

#define PROGRAM_MAX 1024
#define FEW_ROWS    4
#define X32_BIT     0x40000000U

struct program {
	unsigned short len;
	struct sock_filter at[PROGRAM_MAX];
};

static void put(struct program *p, struct sock_filter instruction)
{
	if (p->len < PROGRAM_MAX)
		p->at[p->len++] = instruction;
}

static void put_load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void put_return(struct program *p, uint32_t verdict)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* One half of an argument: goes on where it is right, else to the next row, which is patched in. */
static void put_half(struct program *p, size_t offset, uint32_t mask, uint32_t value)
{
	if (mask == 0)
		return;
	put_load(p, offset);
	if (mask != UINT32_MAX)
		put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, UINT8_MAX));
}

static void put_check(struct program *p, const struct check *c)
{
	/* All three architectures have the lower half first. */
	size_t low = offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t);
	put_half(p, low, (uint32_t)c->mask, (uint32_t)c->value);
	put_half(p, low + 4, (uint32_t)(c->mask >> 32), (uint32_t)(c->value >> 32));
}

static void put_row(struct program *p, const struct row *row)
{
	unsigned short start = p->len;
	put_load(p, offsetof(struct seccomp_data, nr));
	put(p,
		(struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)row->number, 0, UINT8_MAX));
	for (size_t i = 0; i < CHECKS_MAX; i++)
		put_check(p, &row->checks[i]);
	put_return(p, SECCOMP_RET_ALLOW);
	for (unsigned short i = start; i < p->len; i++)
		if (p->at[i].jf == UINT8_MAX)
			p->at[i].jf = (uint8_t)(p->len - i - 1);
}

/* A search by halves: the kernel runs the program once for each number that there is, to know those
 * that it need not ask about again, and row by row that was half of the lock's price. Rows are in
 * the order of their numbers; the number is loaded. As deep as the rows' count has bits. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void put_rows(struct program *p, const struct row *const *rows, size_t count)
{
	size_t middle = count / 2;
	while (middle > 0 && rows[middle - 1]->number == rows[middle]->number)
		middle--; /* the rows of a number stay together */

	if (count <= FEW_ROWS || middle == 0) {
		for (size_t i = 0; i < count; i++)
			put_row(p, rows[i]);
		put_return(p, SECCOMP_RET_ERRNO | EPERM);
		return;
	}
	put(p,
		(struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rows[middle]->number, 0, 1));
	unsigned short jump = p->len;
	put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	put_rows(p, rows, middle);
	p->at[jump].k = (uint32_t)(p->len - jump - 1);
	put_rows(p, rows + middle, count - middle);
}

static void put_architecture(struct program *p)
{
	put_load(p, offsetof(struct seccomp_data, arch));
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	put_return(p, SECCOMP_RET_KILL_PROCESS);
	put_load(p, offsetof(struct seccomp_data, nr));
	/* No call at all: what a tracer leaves of one that it takes away (strace --inject). */
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1));
	put_return(p, SECCOMP_RET_ALLOW);
#ifdef __x86_64__
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	put_return(p, SECCOMP_RET_KILL_PROCESS);
#endif
}

static int by_number(const void *a, const void *b)
{
	return (*(const struct row *const *)a)->number - (*(const struct row *const *)b)->number;
}

int syscalls_limit(unsigned stages, int checker_pid)
{
	struct program p = {.len = 0};
	/* An int in a register of 64 bits: musl extends its sign, the GNU C library leaves zeros.
	 */
	const struct row kill_checker[] = {
		WHERE(kill, H, IS(0, -(int64_t)checker_pid), IS(1, SIGKILL)),
		WHERE(kill, H, IS(0, (uint32_t)-checker_pid), IS(1, SIGKILL)),
	};

	const struct row *rows[sizeof table / sizeof table[0] + 2];
	size_t count = 0;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].stages & stages)
			rows[count++] = &table[i];
	if (count == 0)
		return -EINVAL; /* such a process could not even end */
	for (size_t i = 0; checker_pid > 0 && i < 2; i++)
		rows[count++] = &kill_checker[i];
	qsort(rows, count, sizeof(const struct row *), by_number);
	put_architecture(&p);
	put_rows(&p, rows, count);

	const struct sock_fprog filter = {.len = p.len, .filter = p.at};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		return -errno;
	return 0;
}
