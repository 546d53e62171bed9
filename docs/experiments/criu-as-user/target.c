/* target DIR: session leader with cwd DIR, an append-mode output, a read-write data file, a read-write shared mapping.
 * Counts in memory, in the mapping, in the data file and in the output; all four must agree for ever. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (chdir(argv[1])) err(1, "%s", argv[1]);
	setsid();
	int out = open("out.log", O_WRONLY | O_APPEND | O_CREAT, 0600), dat = open("data.bin", O_RDWR | O_CREAT, 0600);
	int map = open("map.bin", O_RDWR | O_CREAT, 0600), ro = open("in.txt", O_RDONLY);
	if (out < 0 || dat < 0 || map < 0 || ro < 0 || ftruncate(map, 4096) || ftruncate(dat, 64)) err(1, "open");
	volatile int *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0), n = *m, d = 0;
	if (m == MAP_FAILED) err(1, "mmap");
	dup2(open("/dev/null", O_RDWR), 0);
	dup2(out, 1);
	dup2(out, 2);
	for (;;) {
		char line[64];
		if (pread(dat, (void *)&d, 4, 0) != 4 || d != n || *m != n) { dprintf(out, "MISMATCH %d %d %d\n", n, d, *m); return 1; }
		n++;
		*m = n;
		if (pwrite(dat, (void *)&n, 4, 0) != 4 || write(out, line, sprintf(line, "%d\n", n)) < 0) return 1;
		usleep(50000);
	}
}
