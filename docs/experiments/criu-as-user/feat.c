/* feat NAME DIR: a session leader with one special feature, cwd and append-mode output ("out.log") in DIR.
 * Every 50 ms it checks the feature and appends "ok N" or "BAD ...". cc -O1 -pthread -o feat feat.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int a = -1, b = -1, out;
static volatile int *mem;
static volatile long ticks;
static char tmp[8];
static void *thread(void *x) { for (;;) { ticks++; usleep(10000); } }
static int xfer(void) { return write(a, "x", 1) == 1 && read(b, tmp, 1) == 1; }
static long mono(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec; }
static long last_mono;

#define F(n) if (!strcmp(name, #n))
int main(int argc, char **argv)
{
	char *name = argv[1];
	int one = 1;
	long last = 0;
	if (chdir(argv[2])) err(1, "%s", argv[2]);
	setsid();
	if ((out = open("out.log", O_WRONLY | O_APPEND | O_CREAT, 0600)) < 0) err(1, "out.log");
	dup2(open("/dev/null", O_RDWR), 0); dup2(out, 1); dup2(out, 2);

	F(threads) for (int i = 0; i < 4; i++) { pthread_t t; pthread_create(&t, 0, thread, 0); }
	F(tcp) {
		struct sockaddr_in s = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
		socklen_t n = sizeof s;
		int l = socket(AF_INET, SOCK_STREAM, 0);
		bind(l, (void *)&s, n); listen(l, 1); getsockname(l, (void *)&s, &n);
		a = socket(AF_INET, SOCK_STREAM, 0);
		connect(a, (void *)&s, n);
		b = accept(l, 0, 0);
	}
	F(tcplisten) {
		struct sockaddr_in s = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
		a = socket(AF_INET, SOCK_STREAM, 0);
		bind(a, (void *)&s, sizeof s); listen(a, 1);
	}
	F(udp) { struct sockaddr_in s = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } }; a = socket(AF_INET, SOCK_DGRAM, 0); bind(a, (void *)&s, sizeof s); }
	F(unixpair) { int p[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, p); a = p[0]; b = p[1]; }
	F(unixnamed) {
		struct sockaddr_un s = { AF_UNIX, "sock" };
		unlink("sock");
		int l = socket(AF_UNIX, SOCK_STREAM, 0);
		bind(l, (void *)&s, sizeof s); listen(l, 1);
		a = socket(AF_UNIX, SOCK_STREAM, 0); connect(a, (void *)&s, sizeof s); b = accept(l, 0, 0);
	}
	F(sockbuf) { int p[2], v = 400000; socketpair(AF_UNIX, SOCK_STREAM, 0, p); a = p[0]; b = p[1]; setsockopt(a, SOL_SOCKET, SO_SNDBUF, &v, sizeof v); }
	F(pipe) { int p[2]; if (pipe(p)) return 1; a = p[1]; b = p[0]; fcntl(a, F_SETPIPE_SZ, 1 << 20); }
	F(fifo) { mkfifo("fifo", 0600); b = open("fifo", O_RDWR); a = dup(b); }
	F(ghost) { a = open("ghost", O_RDWR | O_CREAT, 0600); if (write(a, "boo", 3) != 3) return 1; unlink("ghost"); }
	F(ghostdir) { mkdir("gone", 0700); if (chdir("gone") || rmdir("../gone")) return 1; }
	F(linkremap) { unlink("l2"); a = open("l1", O_RDWR | O_CREAT | O_TRUNC, 0600); if (write(a, "boo", 3) != 3 || link("l1", "l2")) return 1; unlink("l1"); }
	F(ro0400) { unlink("ro"); a = open("ro", O_RDWR | O_CREAT, 0400); }
	F(flock) { a = open("lk", O_RDWR | O_CREAT, 0600); if (flock(a, LOCK_EX)) return 1; }
	F(posixlock) { struct flock l = { F_WRLCK }; a = open("lk", O_RDWR | O_CREAT, 0600); if (fcntl(a, F_SETLK, &l)) return 1; }
	F(memfd) { a = memfd_create("m", 0); if (write(a, "mem", 3) != 3) return 1; }
	F(shmanon) { mem = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (!fork()) for (;;) { ++*mem; usleep(10000); } }
	F(sysvshm) { a = shmget(IPC_PRIVATE, 1 << 20, 0600); mem = shmat(a, 0, 0); *mem = 7; }
	F(inotify) { a = inotify_init1(IN_NONBLOCK); if (inotify_add_watch(a, ".", IN_CREATE) < 0) return 1; }
	F(epoll) {
		int e = epoll_create1(0), t = eventfd(0, EFD_NONBLOCK);
		struct epoll_event ev = { EPOLLIN };
		epoll_ctl(e, EPOLL_CTL_ADD, t, &ev); a = e; b = t;
	}
	F(fasync) { int p[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, p); a = p[0]; b = p[1]; signal(SIGIO, SIG_IGN); fcntl(b, F_SETOWN, getpid()); fcntl(b, F_SETFL, O_ASYNC); }
	F(nodump) prctl(PR_SET_DUMPABLE, 0);
	F(nnp) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	F(seccomp) {
		struct sock_filter f[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
		struct sock_fprog p = { 1, f };
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)) return 1;
	}
	F(nice) if (setpriority(PRIO_PROCESS, 0, 5)) return 1;
	F(batch) { struct sched_param p = { 0 }; if (sched_setscheduler(0, SCHED_BATCH, &p)) return 1; }
	F(mlock) { mem = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (mlock((void *)mem, 1 << 20)) return 1; }
	F(big) { long n = 1L << 30; char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); for (long i = 0; i < n; i += 4096) p[i] = i >> 12; }
	F(signals) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigprocmask(SIG_BLOCK, &s, 0); raise(SIGUSR1); }
	F(subreaper) prctl(PR_SET_CHILD_SUBREAPER, 1);
	F(shmposix) { shm_unlink("/feat"); int f = shm_open("/feat", O_RDWR | O_CREAT, 0600); ftruncate(f, 4096); mem = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0); *mem = 7; close(f); }
	F(oom) { int f = open("/proc/self/oom_score_adj", O_WRONLY); if (write(f, "500", 3) != 3) return 1; close(f); }
	F(rlimits) { struct rlimit r = { 512, 1024 }; if (setrlimit(RLIMIT_NOFILE, &r)) return 1; }
	F(manyfds) { struct rlimit r = { 19000, 19000 }; setrlimit(RLIMIT_NOFILE, &r); for (int i = 0; i < 3000; i++) if (open("/dev/null", O_RDONLY) < 0) return 1; if (dup2(0, 18000) < 0) return 1; }
	F(zombie) { if (!fork()) _exit(0); }
	F(mono) last_mono = mono();

	for (long n = 1;; n++) {
		int ok = 1;
		struct stat st;
		errno = 0;
		F(threads) { usleep(100000); ok = ticks > last; last = ticks; }
		F(tcp) ok = xfer();
		F(unixpair) ok = xfer();
		F(unixnamed) ok = xfer();
		F(sockbuf) { int v = 0; socklen_t l = sizeof v; ok = xfer() && !getsockopt(a, SOL_SOCKET, SO_SNDBUF, &v, &l); if (last && last != v) ok = 0; last = v; }
		F(pipe) ok = xfer() && fcntl(a, F_GETPIPE_SZ) == 1 << 20;
		F(fifo) ok = xfer();
		F(fasync) ok = xfer() && fcntl(b, F_GETOWN) == getpid();
		F(tcplisten) ok = !getsockopt(a, SOL_SOCKET, SO_ACCEPTCONN, &one, &(socklen_t){ 4 }) && one;
		F(ghost) ok = pread(a, tmp, 3, 0) == 3 && !memcmp(tmp, "boo", 3) && !fstat(a, &st) && !st.st_nlink && st.st_uid == getuid();
		F(linkremap) ok = pread(a, tmp, 3, 0) == 3 && !memcmp(tmp, "boo", 3);
		F(ro0400) ok = pwrite(a, "x", 1, 0) == 1;
		F(memfd) ok = pread(a, tmp, 3, 0) == 3 && !memcmp(tmp, "mem", 3);
		F(flock) ok = !fstat(a, &st);
		F(shmanon) { usleep(100000); ok = *mem > last; last = *mem; }
		F(sysvshm) ok = *mem == 7;
		F(shmposix) ok = *mem == 7;
		F(signals) { sigset_t s; sigpending(&s); ok = sigismember(&s, SIGUSR1); }
		F(subreaper) { int v = 0; prctl(PR_GET_CHILD_SUBREAPER, &v); ok = v; }
		F(inotify) { char ev[512]; unlink("ino"); close(open("ino", O_CREAT | O_WRONLY, 0600)); ok = read(a, ev, sizeof ev) > 0; }
		F(epoll) { struct epoll_event ev; unsigned long v = 1; ok = write(b, &v, 8) == 8 && epoll_wait(a, &ev, 1, 1000) == 1 && read(b, &v, 8) == 8; }
		F(nodump) ok = prctl(PR_GET_DUMPABLE) == 0;
		F(nnp) ok = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
		F(seccomp) ok = prctl(PR_GET_SECCOMP) == 2;
		F(nice) ok = getpriority(PRIO_PROCESS, 0) == 5;
		F(batch) ok = sched_getscheduler(0) == SCHED_BATCH;
		F(rlimits) { struct rlimit r; getrlimit(RLIMIT_NOFILE, &r); ok = r.rlim_cur == 512 && r.rlim_max == 1024; }
		F(mono) { long m = mono(); ok = m >= last_mono && m < last_mono + 20; last_mono = m; }
		if (!strcmp(name, "nodump") || prctl(PR_GET_DUMPABLE) == 1) ; else ok = 0, strcpy(tmp, "dumpabl");
		if (prctl(PR_GET_SECUREBITS)) ok = 0;
		dprintf(out, ok ? "ok %ld\n" : "BAD %ld %m %s\n", n, tmp);
		usleep(50000);
	}
}
