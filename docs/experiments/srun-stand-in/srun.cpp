// SPDX-License-Identifier: GPL-2.0-or-later
// The stand-in: what the batch script finds as "srun". It keeps nothing but a datagram socket bound to a path, so it can be
// dumped at any moment. It asks the shim to run the real srun, passes signals on, and mirrors the exit status.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

static sockaddr_un address(const std::string &path)
{
	sockaddr_un a{};
	a.sun_family = AF_UNIX;
	path.copy(a.sun_path, sizeof a.sun_path - 1);
	return a;
}

// Arguments and environment can exceed a datagram: they go in a memfd, behind our three standard streams.
static bool ask(int sock, const sockaddr_un &shim, const std::string &request)
{
	int file = memfd_create("request", MFD_CLOEXEC);
	if (file < 0 || write(file, request.data(), request.size()) != (ssize_t)request.size())
		return false;
	int fds[] = {0, 1, 2, file};
	char word[] = "run", control[CMSG_SPACE(sizeof fds)] = {};
	iovec iov{word, 3};
	msghdr m{};
	m.msg_name = (void *)&shim, m.msg_namelen = sizeof shim, m.msg_iov = &iov, m.msg_iovlen = 1;
	m.msg_control = control, m.msg_controllen = sizeof control;
	cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(c), fds, sizeof fds);
	bool sent = sendmsg(sock, &m, 0) == 3;
	close(file);
	return sent;
}

static void mirror(int status)
{
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	rlimit none{};
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigset_t all;
	sigfillset(&all);
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &all, nullptr);
	_exit(128 + WTERMSIG(status));
}

int main(int, char **argv, char **envp)
{
	const char *directory = getenv("STANDIN_DIR");
	if (!directory || !*directory)
		return execv("/usr/bin/srun", argv), 127;
	unsigned char random[16];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return 1;
	std::string id;
	for (char hex[3]; unsigned char byte : random)
		snprintf(hex, sizeof hex, "%02x", byte), id += hex;

	std::string request = id + '\0' + get_current_dir_name() + '\0', separator(1, '\0');
	mode_t mask = umask(0);
	umask(mask);
	request += std::to_string(mask) + '\0';
	for (char **a = argv + 1; *a; a++)
		request += "a" + (*a + separator);
	for (char **e = envp; *e; e++)
		request += "e" + (*e + separator);

	sigset_t passed;
	sigemptyset(&passed);
	for (int s : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGUSR2, SIGCONT})
		sigaddset(&passed, s);
	sigprocmask(SIG_BLOCK, &passed, nullptr);
	int signals = signalfd(-1, &passed, SFD_CLOEXEC), sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sockaddr_un own = address(std::string(directory) + "/" + id), shim = address(std::string(directory) + "/shim");
	if (bind(sock, (sockaddr *)&own, sizeof own) || !ask(sock, shim, request))
		return perror("srun: checkpoint"), 1;
	for (pollfd p[] = {{sock, POLLIN, 0}, {signals, POLLIN, 0}}; poll(p, 2, -1) > 0 || errno == EINTR;) {
		signalfd_siginfo info;
		if (p[1].revents && read(signals, &info, sizeof info) == sizeof info) {
			std::string word = "signal " + std::to_string(info.ssi_signo);
			sendto(sock, word.data(), word.size(), 0, (sockaddr *)&shim, sizeof shim);
		}
		char word[64] = {};
		if (!p[0].revents || recv(sock, word, sizeof word - 1, 0) <= 0)
			continue;
		if (!strcmp(word, "restored"))
			ask(sock, shim, request);
		else if (!strncmp(word, "status ", 7))
			unlink(own.sun_path), mirror(atoi(word + 7));
	}
}
