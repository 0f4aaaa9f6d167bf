/* SPDX-License-Identifier: ISC */
/* guard/lock: what each stage forbids, tried one by one, each in a process of its own. */
#include "guard/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
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
	listening = socket(AF_INET, SOCK_STREAM, 0);
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
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
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
	return accept4(listening, NULL, NULL, SOCK_NONBLOCK);
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
static long try_sendmmsg(void)
{
	struct sockaddr_in to = loopback(9);
	struct iovec one = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr message = {.msg_hdr = {.msg_name = &to,
					  .msg_namelen = sizeof to,
					  .msg_iov = &one,
					  .msg_iovlen = 1}};
	return sendmmsg(tcp, &message, 1, MSG_FASTOPEN);
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

/* What only musl's resolver does. */
#ifdef __GLIBC__
#define OF_MUSL EPERM
#else
#define OF_MUSL 0
#endif

/* The columns, and the ways that lead there: a stage after the other. */
enum { CONNECT, RESOLVE, RELAYING, COLUMNS };
#define EITHER (SYSCALLS_CONNECT | SYSCALLS_RESOLVE)
static const struct way {
	int column;
	unsigned stages[3];
} ways[] = {
	{CONNECT, {SYSCALLS_CONNECT}},
	{CONNECT, {EITHER}}, /* RESOLVE does nothing that CONNECT would not */
	{CONNECT, {EITHER, SYSCALLS_CONNECT}},
	{RESOLVE, {SYSCALLS_RESOLVE}},
	{RESOLVE, {EITHER, SYSCALLS_RESOLVE}},
	{RELAYING, {SYSCALLS_CONNECT, SYSCALLS_RELAYING}},
	{RELAYING, {EITHER, SYSCALLS_CONNECT, SYSCALLS_RELAYING}},
};

/* What comes of it in each column: 0, it was done; an errno; -SIGSYS, the process was killed. */
/* clang-format off */
static const struct attempt {
	const char *what;
	long (*make)(void);
	int outcomes[COLUMNS];
} attempts[] = {
	{"open a file",                         try_open,               {EACCES,  EACCES,  EPERM}},
	{"open /proc/self/mem",                 try_open_proc,          {EACCES,  EACCES,  EPERM}},
	{"open a file to write",                try_write_file,         {EPERM,   EPERM,   EPERM}},
	{"create a file",                       try_create,             {EPERM,   EPERM,   EPERM}},
	{"openat2",                             try_openat2,            {EPERM,   EPERM,   EPERM}},
	{"memfd_create",                        try_memfd,              {EPERM,   EPERM,   EPERM}},
	{"execute",                             try_exec,               {EPERM,   EPERM,   EPERM}},
	{"execveat",                            try_execveat,           {EPERM,   EPERM,   EPERM}},
	{"fork",                                try_fork,               {EPERM,   EPERM,   EPERM}},
	{"clone3",                              try_clone3,             {EPERM,   EPERM,   EPERM}},
	{"a TCP socket",                        try_tcp,                {0,       EPERM,   EPERM}},
	{"a TCP socket of the resolver",        try_tcp_of_resolver,    {0,       0,       EPERM}},
	{"a UDP socket",                        try_udp,                {0,       0,       EPERM}},
	{"an MPTCP socket",                     try_mptcp,              {EPERM,   EPERM,   EPERM}},
	{"a raw socket",                        try_raw,                {EPERM,   EPERM,   EPERM}},
	{"a ping socket",                       try_ping,               {EPERM,   EPERM,   EPERM}},
	{"a Unix socket",                       try_unix,               {EPERM,   EPERM,   EPERM}},
	{"a netlink socket",                    try_netlink,            {EPERM,   EPERM,   EPERM}},
	{"a packet socket",                     try_packet,             {EPERM,   EPERM,   EPERM}},
	{"a vsock socket",                      try_vsock,              {EPERM,   EPERM,   EPERM}},
	{"socketpair",                          try_socketpair,         {EPERM,   EPERM,   EPERM}},
	{"a socket, high bits in its domain",   try_high_bits_domain,   {EPERM,   EPERM,   EPERM}},
	{"a socket, high bits in its protocol", try_high_bits_protocol, {EPERM,   EPERM,   EPERM}},
	{"connect",                             try_connect,            {0,       0,       EPERM}},
	{"disconnect",                          try_disconnect,         {0,       0,       0}},
	{"bind",                                try_bind,               {0,       OF_MUSL, EPERM}},
	{"listen",                              try_listen,             {EPERM,   EPERM,   EPERM}},
	{"accept",                              try_accept,             {EPERM,   EPERM,   EPERM}},
	{"send to an address",                  try_send_to,            {OF_MUSL, OF_MUSL, EPERM}},
	{"send to an abstract socket",          try_abstract,           {EPERM,   EPERM,   EPERM}},
	{"TCP fast open",                       try_fast_open,          {EPERM,   EPERM,   EPERM}},
	{"sendmsg",                             try_sendmsg,            {OF_MUSL, OF_MUSL, EPERM}},
	{"recvmsg",                             try_recvmsg,            {OF_MUSL, OF_MUSL, EPERM}},
	{"TCP fast open, of many",              try_sendmmsg,           {EPERM,   EPERM,   EPERM}},
	{"a peer's pidfd",                      try_peer_pidfd,         {EPERM,   EPERM,   EPERM}},
	{"the firewall's rules",                try_firewall,           {EPERM,   EPERM,   EPERM}},
	{"a Unix datagram socket",              try_unix_datagram,      {0,       0,       EPERM}},
	{"open a directory",                    try_directory,          {EACCES,  EACCES,  EPERM}},
	{"a path's descriptor",                 try_path,               {EPERM,   EPERM,   EPERM}},
	{"send",                                try_send,               {0,       0,       0}},
	{"receive",                             try_receive,            {0,       0,       0}},
	{"setsockopt",                          try_set_option,         {0,       EPERM,   EPERM}},
	{"TCP_NODELAY",                         try_no_delay,           {0,       EPERM,   EPERM}},
	{"IPV6_V6ONLY",                         try_ipv6_only,          {0,       OF_MUSL, EPERM}},
	{"SO_SNDTIMEO",                         try_send_timeout,       {0,       0,       0}},
	{"SO_ERROR",                            try_error,              {0,       EPERM,   0}},
	{"TCP_INFO",                            try_tcp_info,           {0,       EPERM,   0}},
	{"what is unsent",                      try_unsent,             {0,       EPERM,   0}},
	{"getsockname",                         try_own_name,           {0,       0,       EPERM}},
	{"getpeername",                         try_peers_name,         {0,       EPERM,   EPERM}},
	{"shutdown",                            try_shutdown,           {0,       0,       0}},
	{"ppoll",                               try_wait,               {0,       0,       0}},
	{"dup",                                 try_dup,                {EPERM,   EPERM,   EPERM}},
	{"F_DUPFD",                             try_dupfd,              {EPERM,   EPERM,   EPERM}},
	{"pipe",                                try_pipe,               {EPERM,   EPERM,   EPERM}},
	{"eventfd",                             try_eventfd,            {EPERM,   EPERM,   EPERM}},
	{"memory",                              try_memory,             {0,       0,       EPERM}},
	{"executable memory",                   try_executable_memory,  {EPERM,   EPERM,   EPERM}},
	{"make memory executable",              try_make_executable,    {EPERM,   EPERM,   EPERM}},
	{"mremap",                              try_remap,              {EPERM,   EPERM,   EPERM}},
	{"signal the parent",                   try_kill_parent,        {EPERM,   EPERM,   EPERM}},
	{"signal itself",                       try_kill_itself,        {EPERM,   EPERM,   EPERM}},
	{"signal everyone",                     try_kill_everyone,      {EPERM,   EPERM,   EPERM}},
	{"tgkill",                              try_tgkill,             {EPERM,   EPERM,   EPERM}},
	{"ptrace",                              try_ptrace,             {EPERM,   EPERM,   EPERM}},
	{"process_vm_readv",                    try_process_vm_readv,   {EPERM,   EPERM,   EPERM}},
	{"pidfd_open",                          try_pidfd_open,         {EPERM,   EPERM,   EPERM}},
	{"pidfd_getfd",                         try_pidfd_getfd,        {EPERM,   EPERM,   EPERM}},
	{"io_uring",                            try_io_uring,           {EPERM,   EPERM,   EPERM}},
	{"bpf",                                 try_bpf,                {EPERM,   EPERM,   EPERM}},
	{"perf_event_open",                     try_perf,               {EPERM,   EPERM,   EPERM}},
	{"userfaultfd",                         try_userfaultfd,        {EPERM,   EPERM,   EPERM}},
	{"unshare",                             try_unshare,            {EPERM,   EPERM,   EPERM}},
	{"setns",                               try_setns,              {EPERM,   EPERM,   EPERM}},
	{"keyctl",                              try_keyctl,             {EPERM,   EPERM,   EPERM}},
	{"add_key",                             try_add_key,            {EPERM,   EPERM,   EPERM}},
	{"chroot",                              try_chroot,             {EPERM,   EPERM,   EPERM}},
	{"mount",                               try_mount,              {EPERM,   EPERM,   EPERM}},
	{"unlink",                              try_unlink,             {EPERM,   EPERM,   EPERM}},
	{"setuid",                              try_setuid,             {EPERM,   EPERM,   EPERM}},
	{"personality",                         try_personality,        {EPERM,   EPERM,   EPERM}},
	{"capset",                              try_capabilities,       {0,       EPERM,   EPERM}},
	{"a filter",                            try_filter,             {EFAULT,  EPERM,   EPERM}},
	{"a filter's descriptor",               try_filter_descriptor,  {EPERM,   EPERM,   EPERM}},
	{"strict mode",                         try_strict_mode,        {EPERM,   EPERM,   EPERM}},
	{"wait for a child",                    try_wait_for_child,     {0,       0,       0}},
	{"a timer",                             try_timer,              {0,       0,       EPERM}},
	{"prctl",                               try_prctl,              {EPERM,   EPERM,   EPERM}},
	{"the clock",                           try_time,               {0,       0,       0}},
#ifdef __x86_64__
	{"a call of x32", try_x32, {-SIGSYS, -SIGSYS, -SIGSYS}},
	{"int 0x80", try_int80, {KILLED, KILLED, KILLED}}, /* SIGSEGV where the kernel does not have it */
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

static void forbids_what_it_says(void)
{
	char about[80];

	for (size_t i = 0; i < COUNT(attempts); i++)
		for (size_t j = 0; j < COUNT(ways); j++) {
			snprintf(about, sizeof about, "%s, way %zu", attempts[i].what, j);
			check_about = about;
			comes_to(outcome(&attempts[i], &ways[j]),
				attempts[i].outcomes[ways[j].column]);
		}
	check_about = NULL;
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
	unlink(file);
	return check_end();
}
