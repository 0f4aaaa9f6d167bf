/* SPDX-License-Identifier: ISC */
/* guard/lock: what each stage forbids, tried one by one, each in a process of its own. */
#include "guard/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
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
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "guard/files.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What the process has open when the stage begins. */
static int local = -1, tcp = -1, tcp_ipv6 = -1, udp = -1, listening = -1, pair[2] = {-1, -1};
static char file[] = "/tmp/stdsocks-lock-XXXXXX";
static void *page;

/* Where somebody listens, who was there before. */
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};
static int landlock_version;

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void prepare(void)
{
	struct sockaddr_in any = loopback(0);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	tcp_ipv6 = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(tcp_ipv6 >= 0);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	landlock_version = files_landlock_version();
	local = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "stdsocks-lock-%d",
		(int)getpid());
	CHECK(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&abstract, sizeof abstract) ==
		0);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(bind(listening, (struct sockaddr *)&any, sizeof any) == 0);
	CHECK(listen(listening, 1) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
}

/* -- The attempts: 0 or more when it was done, else -1 with errno. */

static long try_open(void)
{
	return open(file, O_RDONLY);
}
static long try_open_proc(void)
{
	return open("/proc/self/mem", O_RDONLY);
}
static long try_write_file(void)
{
	return open(file, O_WRONLY);
}
static long try_create(void)
{
	return open("/tmp/stdsocks-lock-new", O_RDONLY | O_CREAT, 0600);
}
static long try_openat2(void)
{
	const uint64_t how[3] = {O_RDONLY};
	return syscall(437, AT_FDCWD, file, how, sizeof how);
}
static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}
static long try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}
static long try_execveat(void)
{
	return syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}
static long try_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid;
}
static long try_clone(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid;
}
static long try_share_memory(void)
{
	return try_clone(CLONE_VM | CLONE_VFORK);
}
static long try_share_files(void)
{
	return try_clone(CLONE_FILES);
}
static long try_parent(void)
{
	return try_clone(CLONE_PARENT);
}
static long try_namespace(void)
{
	return try_clone(CLONE_NEWUSER);
}
static long try_clone3(void)
{
	const uint64_t args[8] = {[4] = SIGCHLD};
	return syscall(435, args, sizeof args);
}
static long try_tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
}
static long try_tcp_of_resolver(void)
{
	return socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static long try_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}
static long try_mptcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 262);
}
static long try_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static long try_ping(void)
{
	return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}
static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}
static long try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}
static long try_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long try_socketpair(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0});
}
static long try_pair_of_packets(void)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, (int[2]){0});
}
static long try_pair_of_datagrams(void)
{
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, (int[2]){0});
}
static long try_high_bits_domain(void)
{
	return syscall(SYS_socket, (1L << 32) | AF_INET, SOCK_STREAM, IPPROTO_TCP);
}
static long try_high_bits_protocol(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, (1L << 40) | IPPROTO_TCP);
}
static long try_connect(void)
{
	struct sockaddr_in to = loopback(1);
	long result = connect(tcp, (struct sockaddr *)&to, sizeof to);
	return result < 0 && errno == ECONNREFUSED ? 0 : result;
}
static long try_disconnect(void)
{
	const sa_family_t unspec = AF_UNSPEC;
	return connect(tcp, (const struct sockaddr *)&unspec, sizeof unspec);
}
static long try_bind(void)
{
	struct sockaddr_in any = loopback(0);
	long result = bind(tcp, (struct sockaddr *)&any, sizeof any);
	return result < 0 && errno == EINVAL ? 0 : result; /* it was bound in another process */
}
static long try_listen(void)
{
	return listen(tcp, 1);
}
static long try_accept(void)
{
	long result = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
static long try_send_to(void)
{
	struct sockaddr_in to = loopback(9);
	return sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}
static long try_abstract(void)
{
	errno = EPERM; /* before version 6 of Landlock there is nothing against it */
	return landlock_version < 6
		? -1
		: sendto(local, "x", 1, 0, (struct sockaddr *)&abstract, sizeof abstract);
}
static long try_fast_open(void)
{
	struct sockaddr_in to = loopback(9);
	return sendto(tcp, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to);
}
static long try_sendmsg(void)
{
	struct iovec one = {.iov_base = "x", .iov_len = 1};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
	return sendmsg(pair[0], &message, 0);
}
static long try_recvmsg(void)
{
	struct msghdr message = {.msg_iovlen = 0};
	long result = recvmsg(pair[0], &message, MSG_DONTWAIT);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
/* The call itself: musl's sendmmsg(3) and recvmmsg(3) are others. */
static long send_many(int fd, void *to, socklen_t len, int flags)
{
	static struct iovec one = {.iov_base = "x", .iov_len = 1};
	static struct mmsghdr message;
	message.msg_hdr.msg_name = to;
	message.msg_hdr.msg_namelen = len;
	message.msg_hdr.msg_iov = &one;
	message.msg_hdr.msg_iovlen = 1;
	return syscall(SYS_sendmmsg, fd, &message, 1, flags);
}
static long try_send_many(void)
{
	struct sockaddr_in to = loopback(9);
	return send_many(udp, &to, sizeof to, 0);
}
static long try_fast_open_many(void)
{
	struct sockaddr_in to = loopback(9);
	return send_many(tcp, &to, sizeof to, MSG_FASTOPEN);
}
static long try_abstract_many(void)
{
	errno = EPERM; /* as above */
	return landlock_version < 6 ? -1 : send_many(local, &abstract, sizeof abstract, 0);
}
static long try_receive_many(void)
{
	static struct mmsghdr message;
	long result = syscall(SYS_recvmmsg, pair[0], &message, 1, MSG_DONTWAIT, NULL);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
static long try_peer_pidfd(void)
{
	int fd;
	socklen_t len = sizeof fd;
	return getsockopt(pair[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &fd, &len);
}
static long try_firewall(void)
{
	return setsockopt(tcp, IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */, "x", 1);
}
static long try_unix_datagram(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}
static long try_directory(void)
{
	return open("/etc", O_RDONLY | O_DIRECTORY);
}
static long try_path(void)
{
	return open("/etc/shadow", O_PATH);
}
static long try_send(void)
{
	return send(pair[0], "x", 1, MSG_NOSIGNAL);
}
static long try_write(void)
{
	return write(pair[0], "x", 1);
}
static long try_receive(void)
{
	char byte;
	long result = recv(pair[0], &byte, 1, MSG_DONTWAIT);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
static long try_set_option(void)
{
	const int on = 1;
	return setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}
static long try_no_delay(void)
{
	const int on = 1;
	return setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
static long try_ipv6_only(void)
{
	const int on = 1;
	return setsockopt(tcp_ipv6, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}
static long try_datagrams_as_one(void)
{
	const int on = 1;
	return setsockopt(udp, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}
static long try_datagrams_parted(void)
{
	const int size = 0;
	return setsockopt(udp, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
}
static long try_send_timeout(void)
{
	const struct timeval soon = {.tv_sec = 1};
	return setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
}
static long try_error(void)
{
	int error;
	socklen_t len = sizeof error;
	return getsockopt(tcp, SOL_SOCKET, SO_ERROR, &error, &len);
}
static long try_tcp_info(void)
{
	struct tcp_info info;
	socklen_t len = sizeof info;
	return getsockopt(tcp, IPPROTO_TCP, TCP_INFO, &info, &len);
}
static long try_unsent(void)
{
	int unsent;
	return ioctl(pair[0], TIOCOUTQ, &unsent);
}
static long try_own_name(void)
{
	struct sockaddr_un any;
	socklen_t len = sizeof any;
	return getsockname(pair[0], (struct sockaddr *)&any, &len);
}
static long try_peers_name(void)
{
	struct sockaddr_un any;
	socklen_t len = sizeof any;
	return getpeername(pair[0], (struct sockaddr *)&any, &len);
}
static long try_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	return syscall(SYS_capset, &header, none);
}
static long try_filter(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
}
static long try_filter_descriptor(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 8 /* NEW_LISTENER */, NULL);
}
static long try_strict_mode(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
}
static long try_wait_for_child(void)
{
	long result = waitpid(-1, NULL, WNOHANG);
	return result < 0 && errno == ECHILD ? 0 : result;
}
static long try_timer(void)
{
	return setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}
static long try_shutdown(void)
{
	return shutdown(pair[0], SHUT_WR);
}
static long try_wait(void)
{
	struct pollfd fd = {.fd = pair[0], .events = POLLIN};
	return ppoll(&fd, 1, &(struct timespec){0}, NULL);
}
static long try_dup(void)
{
	return dup(pair[0]);
}
static long try_dupfd(void)
{
	return fcntl(pair[0], F_DUPFD, 0);
}
static long try_pipe(void)
{
	return pipe2((int[2]){0}, 0);
}
static long try_eventfd(void)
{
	return syscall(SYS_eventfd2, 0, 0);
}
static long try_memory(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_heap(void)
{
	return syscall(SYS_brk, 0);
}
static long try_executable_memory(void)
{
	return syscall(
		SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_make_executable(void)
{
	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static long try_remap(void)
{
	return syscall(SYS_mremap, page, 4096, 8192, 1, 0);
}
static long try_kill_parent(void)
{
	return kill(getppid(), 0);
}
static long try_kill_itself(void)
{
	return kill(getpid(), SIGTERM);
}
static long try_kill_everyone(void)
{
	return kill(-1, 0);
}
static long try_tgkill(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
}
static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long try_process_vm_readv(void)
{
	return syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}
static long try_pidfd_open(void)
{
	return syscall(434, getpid(), 0);
}
static long try_pidfd_getfd(void)
{
	return syscall(438, 0, 0, 0);
}
static long try_io_uring(void)
{
	return syscall(425, 1, NULL);
}
static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}
static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}
static long try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}
static long try_setns(void)
{
	return syscall(SYS_setns, 0, 0);
}
static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}
static long try_add_key(void)
{
	return syscall(SYS_add_key, "user", "x", "x", 1, 0);
}
static long try_chroot(void)
{
	return chroot("/");
}
static long try_mount(void)
{
	return syscall(SYS_mount, "", "/", "", 0, NULL);
}
static long try_unlink(void)
{
	return unlinkat(AT_FDCWD, file, 0);
}
static long try_setuid(void)
{
	return setuid(0);
}
static long try_personality(void)
{
	return syscall(SYS_personality, 0xffffffff);
}
static long try_prctl(void)
{
	return syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0);
}
static long try_end_with_parent(void)
{
	return syscall(SYS_prctl, 1 /* PR_SET_PDEATHSIG */, SIGKILL, 0, 0, 0);
}
static long try_close_range(void)
{
	return syscall(SYS_close_range, 1000, ~0U, 0);
}
static long try_limits(void)
{
	struct rlimit limit;
	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
}
static long try_set_limits(void)
{
	const struct rlimit none = {.rlim_cur = 0};
	return syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL);
}
static long try_parents_limits(void)
{
	struct rlimit limit;
	return syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit);
}
static long try_time(void)
{
	struct timespec now;
	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}
#ifdef __x86_64__
static long try_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}
static long try_int80(void)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

#define KILLED (-1)

/* What only the one C library's resolver does, or the other's. */
#ifdef __GLIBC__
#define OF_GNU(stages)  (stages)
#define OF_MUSL(stages) NONE
#else
#define OF_GNU(stages)  NONE
#define OF_MUSL(stages) (stages)
#endif

/* The letters of guard/syscalls.c. */
#define C    SYSCALLS_CONNECT
#define V    SYSCALLS_RESOLVE
#define B    SYSCALLS_BIND
#define A    SYSCALLS_ASSOCIATE
#define R    SYSCALLS_RELAYING
#define U    SYSCALLS_DATAGRAMS
#define L    SYSCALLS_LOOKUPS
#define T    (C | B | A) /* a handshake that another stage follows */
#define H    (T | V)     /* every handshake */
#define N    (H | L)     /* whoever looks names up */
#define ALL  (N | R | U)
#define NONE 0U

/* The ways of processes, a stage after the other. Where several commands are configured, the first is theirs together. */
static const struct way {
	const char *name;
	unsigned stages[3];
} ways[] = {
	{"C", {C}},
	{"V", {V}},
	{"B", {B}},
	{"A", {A}},
	{"C|V", {C | V}},
	{"C|B", {C | B}},
	{"C|A", {C | A}},
	{"all", {H}},
	{"all, C", {H, C}},
	{"all, V", {H, V}},
	{"all, B", {H, B}},
	{"all, A", {H, A}},
	{"C, R", {C, R}},
	{"B, R", {B, R}},
	{"A, U", {A, U}},
	{"A, L", {A, L}},
	{"all, C, R", {H, C, R}},
	{"all, B, R", {H, B, R}},
	{"all, A, U", {H, A, U}},
	{"all, A, L", {H, A, L}},
};

/* What comes of it in those stages: 0, it was done, or another answer than the lock's, which is an errno, or
 * -SIGSYS where the process was killed; in all others it is EPERM. Several together may do what one of them may. */
/* clang-format off */
static const struct attempt {
	const char *what;
	long (*make)(void);
	unsigned stages;
	int outcome;
} attempts[] = {
#define NEVER(what, make)                  {what, make, NONE, 0}
#define MAY(what, make, stages)            {what, make, stages, 0}
#define MEETS(what, make, stages, outcome) {what, make, stages, outcome}
	MEETS("open a file",                          try_open,               N, EACCES),
	MEETS("open /proc/self/mem",                  try_open_proc,          N, EACCES),
	NEVER("open a file to write",                 try_write_file),
	NEVER("create a file",                        try_create),
	NEVER("openat2",                              try_openat2),
	NEVER("memfd_create",                         try_memfd),
	NEVER("execute",                              try_exec),
	NEVER("execveat",                             try_execveat),
	MAY("fork",                                   try_fork,               A | L),
	NEVER("fork, with memory shared",             try_share_memory),
	NEVER("fork, with files shared",              try_share_files),
	NEVER("fork, as the parent's child",          try_parent),
	NEVER("fork, in a namespace",                 try_namespace),
	NEVER("clone3",                               try_clone3),
	MAY("a TCP socket",                           try_tcp,                C | B),
	MAY("a TCP socket of the resolver",           try_tcp_of_resolver,    N),
	MAY("a UDP socket",                           try_udp,                N),
	NEVER("an MPTCP socket",                      try_mptcp),
	NEVER("a raw socket",                         try_raw),
	NEVER("a ping socket",                        try_ping),
	NEVER("a Unix socket",                        try_unix),
	NEVER("a netlink socket",                     try_netlink),
	NEVER("a packet socket",                      try_packet),
	NEVER("a vsock socket",                       try_vsock),
	NEVER("socketpair",                           try_socketpair),
	MAY("socketpair, of packets",                 try_pair_of_packets,    A),
	NEVER("socketpair, of datagrams",             try_pair_of_datagrams),
	NEVER("a socket, high bits in its domain",    try_high_bits_domain),
	NEVER("a socket, high bits in its protocol",  try_high_bits_protocol),
	MAY("connect",                                try_connect,            N),
	MAY("disconnect",                             try_disconnect,         N | R),
	MAY("bind",                                   try_bind,               T | OF_MUSL(V | L)),
	MAY("listen",                                 try_listen,             B),
	MAY("accept",                                 try_accept,             B),
	MAY("send to an address",                     try_send_to,            OF_MUSL(N)),
	NEVER("send to an abstract socket",           try_abstract),
	NEVER("TCP fast open",                        try_fast_open),
	MAY("sendmsg",                                try_sendmsg,            OF_MUSL(N)),
	MAY("recvmsg",                                try_recvmsg,            OF_MUSL(N)),
	MAY("sendmmsg to an address",                 try_send_many,          A | U | OF_GNU(N)),
	NEVER("sendmmsg to an abstract socket",       try_abstract_many),
	MAY("recvmmsg",                               try_receive_many,       A | U),
	NEVER("TCP fast open, of many",               try_fast_open_many),
	NEVER("a peer's pidfd",                       try_peer_pidfd),
	NEVER("the firewall's rules",                 try_firewall),
	MAY("a Unix datagram socket",                 try_unix_datagram,      N),
	MEETS("open a directory",                     try_directory,          N, EACCES),
	NEVER("a path's descriptor",                  try_path),
	MAY("send",                                   try_send,               ALL),
	MAY("write",                                  try_write,              H | R | U),
	MAY("receive",                                try_receive,            ALL),
	MAY("setsockopt",                             try_set_option,         T),
	MAY("TCP_NODELAY",                            try_no_delay,           T),
	MAY("IPV6_V6ONLY",                            try_ipv6_only,          T | OF_MUSL(V | L)),
	MAY("UDP_GRO",                                try_datagrams_as_one,   A),
	NEVER("UDP_SEGMENT",                          try_datagrams_parted),
	MAY("SO_SNDTIMEO",                            try_send_timeout,       H | R | U),
	MAY("SO_ERROR",                               try_error,              C | B | R),
	MAY("TCP_INFO",                               try_tcp_info,           C | B | R),
	MAY("what is unsent",                         try_unsent,             C | B | R),
	MAY("getsockname",                            try_own_name,           N),
	MAY("getpeername",                            try_peers_name,         C),
	MAY("shutdown",                               try_shutdown,           H | R | U),
	MAY("ppoll",                                  try_wait,               H | R | U),
	MAY("dup",                                    try_dup,                A),
	NEVER("F_DUPFD",                              try_dupfd),
	NEVER("pipe",                                 try_pipe),
	NEVER("eventfd",                              try_eventfd),
	MAY("memory",                                 try_memory,             N),
	MAY("the heap",                               try_heap,               N),
	NEVER("executable memory",                    try_executable_memory),
	NEVER("make memory executable",               try_make_executable),
	NEVER("mremap",                               try_remap),
	NEVER("signal the parent",                    try_kill_parent),
	NEVER("signal itself",                        try_kill_itself),
	NEVER("signal everyone",                      try_kill_everyone),
	NEVER("tgkill",                               try_tgkill),
	NEVER("ptrace",                               try_ptrace),
	NEVER("process_vm_readv",                     try_process_vm_readv),
	NEVER("pidfd_open",                           try_pidfd_open),
	NEVER("pidfd_getfd",                          try_pidfd_getfd),
	NEVER("io_uring",                             try_io_uring),
	NEVER("bpf",                                  try_bpf),
	NEVER("perf_event_open",                      try_perf),
	NEVER("userfaultfd",                          try_userfaultfd),
	NEVER("unshare",                              try_unshare),
	NEVER("setns",                                try_setns),
	NEVER("keyctl",                               try_keyctl),
	NEVER("add_key",                              try_add_key),
	NEVER("chroot",                               try_chroot),
	NEVER("mount",                                try_mount),
	NEVER("unlink",                               try_unlink),
	NEVER("setuid",                               try_setuid),
	NEVER("personality",                          try_personality),
	MAY("capset",                                 try_capabilities,       T),
	MEETS("a filter",                             try_filter,             T, EFAULT),
	NEVER("a filter's descriptor",                try_filter_descriptor),
	NEVER("strict mode",                          try_strict_mode),
	MAY("wait for a child",                       try_wait_for_child,     H | R | U),
	MAY("a timer",                                try_timer,              N),
	NEVER("prctl",                                try_prctl),
	MAY("end with the parent",                    try_end_with_parent,    A | L),
	MAY("close_range",                            try_close_range,        A),
	MAY("limits",                                 try_limits,             A),
	NEVER("new limits",                           try_set_limits),
	NEVER("the parent's limits",                  try_parents_limits),
	MAY("the clock",                              try_time,               ALL),
#ifdef __x86_64__
	MEETS("a call of x32",                        try_x32,                ALL, -SIGSYS),
	MEETS("int 0x80",                             try_int80,              ALL, KILLED), /* SIGSEGV where the kernel does not have it */
#endif
};
/* clang-format on */

#define NOT_LOCKED 255

static int outcome(const struct attempt *attempt, const struct way *way)
{
	int status;
	const char *part;
	pid_t pid = fork();
	if (pid == 0) {
		if (lock_enter(way->stages[0], 0, &part) < 0)
			_exit(NOT_LOCKED);
		for (size_t i = 1; i < COUNT(way->stages) && way->stages[i]; i++)
			if (lock_tighten(way->stages[i], &part) < 0)
				_exit(NOT_LOCKED);
		_exit(attempt->make() < 0 ? errno : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void comes_to(int got, int want)
{
	if (want == KILLED)
		CHECK(got == -SIGSYS || got == -SIGSEGV);
	else
		CHECK_NUMBER(got, want);
}

/* The process's last stage decides. */
static int wanted(const struct attempt *attempt, const struct way *way)
{
	size_t last = COUNT(way->stages) - 1;
	while (way->stages[last] == 0)
		last--;
	return attempt->stages & way->stages[last] ? attempt->outcome : EPERM;
}

static void forbids_what_it_says(void)
{
	char about[80];

	for (size_t i = 0; i < COUNT(attempts); i++)
		for (size_t j = 0; j < COUNT(ways); j++) {
			snprintf(about, sizeof about, "%s, in %s", attempts[i].what, ways[j].name);
			check_about = about;
			comes_to(outcome(&attempts[i], &ways[j]), wanted(&attempts[i], &ways[j]));
		}
	check_about = NULL;
}

/* A process without any call could not end: there is no such lock. */
static void locks_in_no_stage_not_at_all(void)
{
	static const unsigned none[] = {0, 1U << 31};
	const char *part = "";

	for (size_t i = 0; i < COUNT(none); i++)
		for (int checker_pid = 0; checker_pid < 2; checker_pid++) {
			pid_t pid = fork();
			if (pid == 0) {
				bool refused = lock_enter(none[i], checker_pid, &part) == -EINVAL &&
					strcmp(part, "seccomp") == 0 &&
					lock_tighten(none[i], &part) == -EINVAL;
				_exit(refused ? 0 : 1);
			}
			int status = -1;
			CHECK(waitpid(pid, &status, 0) == pid);
			CHECK_NUMBER(status, 0);
		}
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0; /* it takes calls of its own, in each of these processes */
#endif
	int fd = mkstemp(file);
	CHECK(fd >= 0);
	prepare();
	forbids_what_it_says();
	locks_in_no_stage_not_at_all();
	unlink(file);
	return check_end();
}
