/* Alternative arrangement: criu stays root (real, effective and saved uid 0) but takes the user's fsuid, fsgid and groups.
 * execve copies euid to fsuid, so this can only happen inside criu: a plugin, loaded with --libdir. AS_USER=uid:gid:g1,g2
 * The kernel drops the file-system capabilities from the effective set when fsuid leaves 0; AS_USER_KEEP=1 raises them again
 * (or only those it names: AS_USER_KEEP=dac_read_search,fowner).
 * cc -shared -fPIC -O1 -o fsuser.so fsuser-plugin.c -lcap */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

int cr_plugin_init(int stage)
{
	unsigned u, g;
	int n = 0;
	char list[256] = "", *e = getenv("AS_USER"), *keep = getenv("AS_USER_KEEP");
	gid_t groups[32];
	if (!e || sscanf(e, "%u:%u:%255s", &u, &g, list) < 2) return -1;
	for (char *p = strtok(list, ","); p && n < 32; p = strtok(NULL, ",")) groups[n++] = atoi(p);
	cap_t before = cap_get_proc();
	if (setgroups(n, groups)) return -1;
	setfsgid(g);
	setfsuid(u);
	if (setfsuid(-1) != (int)u || setfsgid(-1) != (int)g) return -1;
	if (keep && !strcmp(keep, "1") && cap_set_proc(before)) return -1;
	if (keep && strcmp(keep, "1")) {
		cap_t c = cap_get_proc();
		for (char *p = strtok(strdup(keep), ","); p; p = strtok(NULL, ",")) {
			char name[64];
			cap_value_t v;
			snprintf(name, sizeof name, "cap_%s", p);
			if (cap_from_name(name, &v) || cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_SET)) return -1;
		}
		if (cap_set_proc(c)) return -1;
	}
	return prctl(PR_SET_DUMPABLE, 1);
}
