// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"
const struct directed directed_tests[] = { { NULL, NULL } };
const int nr_directed = 0;
