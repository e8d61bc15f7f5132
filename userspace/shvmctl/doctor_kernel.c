// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor: is the kernel new enough, and has it been built with what the module needs?
 */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "doctor.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1

struct option_wanted {
	const char *name;
	enum verdict without;
	const char *cure;
};

static const struct option_wanted options[] = {
	{ "CONFIG_MODULES", VERDICT_BAD, "use a kernel that can load modules, such as Debian's" },
	{ "CONFIG_MMU_NOTIFIER", VERDICT_BAD,
	  "use a kernel with it, such as Debian's (CONFIG_KVM selects it)" },
	{ "CONFIG_NET", VERDICT_BAD, "use a kernel with it: shvmctl speaks netlink" },
	{ "CONFIG_MEMCG", VERDICT_WARNING, "without it memory of VMs is not charged to cgroups" },
	{ "CONFIG_SWAP", VERDICT_WARNING, "without it memory of guests cannot be swapped out" },
};

static void check_version(struct findings *f, const struct utsname *name)
{
	int major = 0, minor = 0;

	if (strcmp(name->machine, "x86_64")) {
		found(f, VERDICT_BAD, "kernel", "shvm is for 64-bit kernels of x86", "it is for %s",
		      name->machine);
		return;
	}
	sscanf(name->release, "%d.%d", &major, &minor);
	if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
		found(f, VERDICT_BAD, "kernel", "use Linux 6.1 or newer", "%s is too old",
		      name->release);
	else
		found(f, VERDICT_OK, "kernel", NULL, "%s", name->release);
}

/* gzopen() reads plain files, too. */
static gzFile open_config(const struct utsname *name)
{
	static const char *const places[] = { "/proc/config.gz", "/boot/config-%s",
					      "/lib/modules/%s/config",
					      "/lib/modules/%s/build/.config" };
	char path[160];
	gzFile file = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places) && !file; i++) {
		snprintf(path, sizeof(path), places[i], name->release);
		file = gzopen(path, "re");
	}
	return file;
}

static void check_options(struct findings *f, const bool *there)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (there[i])
			found(f, VERDICT_OK, "kernel", NULL, "built with %s", options[i].name);
		else
			found(f, options[i].without, "kernel", options[i].cure,
			      "built without %s", options[i].name);
	}
}

static void check_config(struct findings *f, const struct utsname *name)
{
	bool there[ARRAY_SIZE(options)] = { false };
	gzFile config = open_config(name);
	char line[256];
	size_t i, len;

	if (!config) {
		found(f, VERDICT_UNKNOWN, "kernel", NULL,
		      "its configuration is in none of the usual places");
		return;
	}
	while (gzgets(config, line, sizeof(line))) {
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			len = strlen(options[i].name);
			if (!strncmp(line, options[i].name, len) && line[len] == '=')
				there[i] = true;
		}
	}
	gzclose(config);
	check_options(f, there);
}

void doctor_kernel(struct findings *f)
{
	struct utsname name;

	uname(&name);
	check_version(f, &name);
	check_config(f, &name);
}
