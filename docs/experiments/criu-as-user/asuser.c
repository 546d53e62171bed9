/* asuser [-i RUID:EUID:SUID] [-g GID] [-G g1,g2] [-c CAP,CAP|none] [-b SECUREBITS] CMD...: change ids, keep the named
 * capabilities across execve (inheritable + ambient), exec. The order is the recipe.
 * cc -O1 -o asuser asuser.c -lcap */
#define _GNU_SOURCE
#include <err.h>
#include <grp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned r = 2001, e = 2001, s = 2001, gid = 2001;
	gid_t groups[32];
	int n = 0, o, secbits = -1;
	char *caps = "none", *glist = NULL;
	while ((o = getopt(argc, argv, "+i:g:G:c:b:")) > 0)
		if (o == 'i') sscanf(optarg, "%u:%u:%u", &r, &e, &s);
		else if (o == 'g') gid = atoi(optarg);
		else if (o == 'G') glist = optarg;
		else if (o == 'c') caps = optarg;
		else if (o == 'b') secbits = strtol(optarg, NULL, 0);
		else return 2;
	for (char *p = glist ? strtok(glist, ",") : NULL; p; p = strtok(NULL, ",")) groups[n++] = atoi(p);

	if (prctl(PR_SET_KEEPCAPS, 1)) err(1, "keepcaps");       /* 1. permitted survives step 3; execve clears the flag */
	if (setgroups(n, groups)) err(1, "setgroups");            /* 2. groups and gids while CAP_SETGID is effective */
	if (setresgid(gid, gid, gid)) err(1, "setresgid");
	if (setresuid(r, e, s)) err(1, "setresuid");              /* 3. */
	if (secbits >= 0) {                                       /*    needs CAP_SETPCAP effective again */
		cap_t all = cap_get_proc();
		cap_value_t v = CAP_SETPCAP;
		cap_set_flag(all, CAP_EFFECTIVE, 1, &v, CAP_SET);
		if (cap_set_proc(all) || prctl(PR_SET_SECUREBITS, secbits)) err(1, "securebits");
	}
	cap_t c = cap_init();                                     /* 4. permitted = inheritable = effective = the list */
	if (strcmp(caps, "none"))
		for (char *list = strdup(caps), *p = strtok(list, ","); p; p = strtok(NULL, ",")) {
			cap_value_t v;
			char name[64];
			snprintf(name, sizeof name, "cap_%s", p);
			if (cap_from_name(name, &v)) errx(1, "unknown capability %s", p);
			cap_set_flag(c, CAP_PERMITTED, 1, &v, CAP_SET);
			cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_SET);
			cap_set_flag(c, CAP_INHERITABLE, 1, &v, CAP_SET);
		}
	if (cap_set_proc(c)) err(1, "capset");
	for (int v = 0; v <= CAP_LAST_CAP; v++) {                 /* 5. ambient = the list */
		cap_flag_value_t on;
		if (!cap_get_flag(c, v, CAP_PERMITTED, &on) && on && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, v, 0, 0)) err(1, "ambient");
	}
	execvp(argv[optind], argv + optind);                      /* 6. */
	err(127, "%s", argv[optind]);
}
