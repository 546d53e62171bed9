/* rootsquash SRC MNT [owner]: a FUSE mount that behaves like an NFS export with root_squash.
 * Every request is executed with the caller's fsuid, fsgid and supplementary groups; uid 0 and gid 0 become 65534, whatever
 * capabilities the caller holds. As in NFS, rights are checked at lookup and open; an open file stays usable by anyone
 * who has the descriptor, and attributes of a known file handle can always be read. Nothing is cached (timeouts are 0).
 * With "owner" the mount has no allow_other: the kernel itself then admits only processes whose real, effective and saved
 * ids all equal those of the process that mounted.
 * cc -O1 -o rootsquash rootsquash.c $(pkg-config --cflags --libs fuse3) */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

struct node { struct node *next; int fd; dev_t dev; ino_t ino; unsigned long refs; };
static struct node root = { .refs = 2 };
static int owner_only;

static struct node *get(fuse_ino_t i) { return i == FUSE_ROOT_ID ? &root : (struct node *)i; }
static int nfd(fuse_ino_t i) { return get(i)->fd; }
static const char *self(fuse_ino_t i, char b[32]) { sprintf(b, "/proc/self/fd/%d", nfd(i)); return b; }

static unsigned squash(unsigned id) { return id ? id : 65534; }

static void as_caller(fuse_req_t r) /* single-threaded server */
{
	const struct fuse_ctx *c = fuse_req_ctx(r);
	gid_t g[64];
	int n = fuse_req_getgroups(r, 64, g);
	if (owner_only) return;
	if (n < 0) n = 0;
	if (n > 64) n = 64;
	for (int i = 0; i < n; i++) g[i] = squash(g[i]);
	setfsuid(0);
	syscall(SYS_setgroups, n, g);
	setfsgid(squash(c->gid));
	setfsuid(squash(c->uid));
}
static void as_server(void) { if (!owner_only) { setfsuid(0); setfsgid(0); } }
#define ERR(r, e) do { int e_ = (e); as_server(); fuse_reply_err(r, e_); } while (0)

static int look(fuse_req_t r, fuse_ino_t p, const char *name, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof *e);
	int fd = openat(nfd(p), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) return errno;
	if (fstat(fd, &e->attr) < 0) { int x = errno; close(fd); return x; }
	struct node *n;
	for (n = root.next; n; n = n->next)
		if (n->dev == e->attr.st_dev && n->ino == e->attr.st_ino) break;
	if (n) { close(fd); n->refs++; }
	else {
		n = calloc(1, sizeof *n);
		*n = (struct node){ root.next, fd, e->attr.st_dev, e->attr.st_ino, 1 };
		root.next = n;
	}
	e->ino = (fuse_ino_t)n;
	return 0;
}
static void entry(fuse_req_t r, fuse_ino_t p, const char *name)
{
	struct fuse_entry_param e;
	int x = look(r, p, name, &e);
	if (x) { ERR(r, x); return; }
	as_server();
	fuse_reply_entry(r, &e);
}
static void f_lookup(fuse_req_t r, fuse_ino_t p, const char *name) { as_caller(r); entry(r, p, name); }
static void f_forget(fuse_req_t r, fuse_ino_t i, uint64_t n)
{
	struct node *x = get(i);
	if (x != &root && (x->refs -= n) == 0) {
		struct node **q = &root.next;
		while (*q != x) q = &(*q)->next;
		*q = x->next;
		close(x->fd);
		free(x);
	}
	fuse_reply_none(r);
}
static void f_getattr(fuse_req_t r, fuse_ino_t i, struct fuse_file_info *fi)
{
	struct stat st;
	if (fstatat(nfd(i), "", &st, AT_EMPTY_PATH)) fuse_reply_err(r, errno);
	else fuse_reply_attr(r, &st, 0);
}
static void f_setattr(fuse_req_t r, fuse_ino_t i, struct stat *a, int set, struct fuse_file_info *fi)
{
	char b[32];
	int x = 0;
	as_caller(r);
	self(i, b);
	if (set & FUSE_SET_ATTR_MODE) x = chmod(b, a->st_mode);
	if (!x && set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		x = chown(b, set & FUSE_SET_ATTR_UID ? a->st_uid : -1, set & FUSE_SET_ATTR_GID ? a->st_gid : -1);
	if (!x && set & FUSE_SET_ATTR_SIZE) x = fi ? ftruncate(fi->fh, a->st_size) : truncate(b, a->st_size);
	if (!x && set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
		struct timespec t[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
		if (set & FUSE_SET_ATTR_ATIME) t[0] = a->st_atim;
		if (set & FUSE_SET_ATTR_MTIME) t[1] = a->st_mtim;
		if (set & FUSE_SET_ATTR_ATIME_NOW) t[0].tv_nsec = UTIME_NOW;
		if (set & FUSE_SET_ATTR_MTIME_NOW) t[1].tv_nsec = UTIME_NOW;
		x = utimensat(AT_FDCWD, b, t, 0);
	}
	if (x) { ERR(r, errno); return; }
	as_server();
	f_getattr(r, i, fi);
}
static void f_readlink(fuse_req_t r, fuse_ino_t i)
{
	char b[4096];
	int n = readlinkat(nfd(i), "", b, sizeof b - 1);
	if (n < 0) { fuse_reply_err(r, errno); return; }
	b[n] = 0;
	fuse_reply_readlink(r, b);
}
#define MAKE(call) as_caller(r); if (call) ERR(r, errno); else entry(r, p, name)
static void f_mknod(fuse_req_t r, fuse_ino_t p, const char *name, mode_t m, dev_t d) { MAKE(mknodat(nfd(p), name, m, d)); }
static void f_mkdir(fuse_req_t r, fuse_ino_t p, const char *name, mode_t m) { MAKE(mkdirat(nfd(p), name, m)); }
static void f_symlink(fuse_req_t r, const char *to, fuse_ino_t p, const char *name) { MAKE(symlinkat(to, nfd(p), name)); }
static void f_link(fuse_req_t r, fuse_ino_t i, fuse_ino_t p, const char *name)
{
	char b[32];
	MAKE(linkat(AT_FDCWD, self(i, b), nfd(p), name, AT_SYMLINK_FOLLOW));
}
static void f_unlink(fuse_req_t r, fuse_ino_t p, const char *name) { as_caller(r); ERR(r, unlinkat(nfd(p), name, 0) ? errno : 0); }
static void f_rmdir(fuse_req_t r, fuse_ino_t p, const char *name) { as_caller(r); ERR(r, unlinkat(nfd(p), name, AT_REMOVEDIR) ? errno : 0); }
static void f_rename(fuse_req_t r, fuse_ino_t p, const char *a, fuse_ino_t q, const char *b, unsigned fl)
{
	as_caller(r);
	ERR(r, renameat2(nfd(p), a, nfd(q), b, fl) ? errno : 0);
}
static void f_open(fuse_req_t r, fuse_ino_t i, struct fuse_file_info *fi)
{
	char b[32];
	as_caller(r);
	int fd = open(self(i, b), (fi->flags & ~(O_NOFOLLOW | O_APPEND)) | O_CLOEXEC);
	if (fd < 0) { ERR(r, errno); return; }
	as_server();
	fi->fh = fd;
	fuse_reply_open(r, fi);
}
static void f_create(fuse_req_t r, fuse_ino_t p, const char *name, mode_t m, struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	as_caller(r);
	int fd = openat(nfd(p), name, ((fi->flags | O_CREAT) & ~(O_NOFOLLOW | O_APPEND)) | O_CLOEXEC, m), x = 0;
	if (fd < 0 || (x = look(r, p, name, &e))) { ERR(r, x ? x : errno); return; }
	as_server();
	fi->fh = fd;
	fuse_reply_create(r, &e, fi);
}
static void f_read(fuse_req_t r, fuse_ino_t i, size_t n, off_t o, struct fuse_file_info *fi)
{
	char *b = malloc(n);
	ssize_t k = pread(fi->fh, b, n, o);
	if (k < 0) fuse_reply_err(r, errno);
	else fuse_reply_buf(r, b, k);
	free(b);
}
static void f_write(fuse_req_t r, fuse_ino_t i, const char *b, size_t n, off_t o, struct fuse_file_info *fi)
{
	ssize_t k = pwrite(fi->fh, b, n, o);
	if (k < 0) fuse_reply_err(r, errno);
	else fuse_reply_write(r, k);
}
static void f_release(fuse_req_t r, fuse_ino_t i, struct fuse_file_info *fi) { close(fi->fh); fuse_reply_err(r, 0); }
static void f_fsync(fuse_req_t r, fuse_ino_t i, int d, struct fuse_file_info *fi) { fuse_reply_err(r, fsync(fi->fh) ? errno : 0); }
static void f_opendir(fuse_req_t r, fuse_ino_t i, struct fuse_file_info *fi)
{
	as_caller(r);
	int fd = openat(nfd(i), ".", O_RDONLY | O_CLOEXEC);
	if (fd < 0) { ERR(r, errno); return; }
	as_server();
	fi->fh = (uintptr_t)fdopendir(fd);
	fuse_reply_open(r, fi);
}
static void f_readdir(fuse_req_t r, fuse_ino_t i, size_t n, off_t o, struct fuse_file_info *fi)
{
	char *b = malloc(n);
	size_t k = 0, s;
	struct dirent *d;
	seekdir((DIR *)fi->fh, o);
	while ((d = readdir((DIR *)fi->fh))) {
		struct stat st = { .st_ino = d->d_ino, .st_mode = d->d_type << 12 };
		s = fuse_add_direntry(r, b + k, n - k, d->d_name, &st, d->d_off);
		if (s > n - k) break;
		k += s;
	}
	fuse_reply_buf(r, b, k);
	free(b);
}
static void f_releasedir(fuse_req_t r, fuse_ino_t i, struct fuse_file_info *fi) { closedir((DIR *)fi->fh); fuse_reply_err(r, 0); }
static void f_statfs(fuse_req_t r, fuse_ino_t i)
{
	struct statvfs s;
	if (fstatvfs(nfd(i), &s)) fuse_reply_err(r, errno);
	else fuse_reply_statfs(r, &s);
}
static void f_access(fuse_req_t r, fuse_ino_t i, int mask)
{
	char b[32];
	as_caller(r);
	ERR(r, syscall(SYS_faccessat2, AT_FDCWD, self(i, b), mask, AT_EACCESS) ? errno : 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = f_lookup, .forget = f_forget, .getattr = f_getattr, .setattr = f_setattr, .readlink = f_readlink, .mknod = f_mknod,
	.mkdir = f_mkdir, .symlink = f_symlink, .link = f_link, .unlink = f_unlink, .rmdir = f_rmdir, .rename = f_rename, .open = f_open,
	.create = f_create, .read = f_read, .write = f_write, .release = f_release, .fsync = f_fsync, .opendir = f_opendir,
	.readdir = f_readdir, .releasedir = f_releasedir, .statfs = f_statfs, .access = f_access,
};

int main(int argc, char **argv)
{
	if (argc < 3) return 2;
	owner_only = argc > 3;
	char *av[] = { argv[0], "-o", owner_only ? "fsname=home,subtype=squash" : "allow_other,fsname=home,subtype=squash", NULL };
	struct fuse_args a = FUSE_ARGS_INIT(3, av);
	umask(0);
	root.fd = open(argv[1], O_PATH | O_DIRECTORY);
	struct fuse_session *s = fuse_session_new(&a, &ops, sizeof ops, NULL);
	if (root.fd < 0 || !s || fuse_session_mount(s, argv[2])) return 1;
	if (daemon(0, 0)) return 1;
	return fuse_session_loop(s);
}
