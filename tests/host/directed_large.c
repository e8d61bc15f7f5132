// SPDX-License-Identifier: GPL-2.0-only
#include "story.h"
static const struct directed stories[] = {
};
const struct directed_set large_tests = { stories, 0 };
