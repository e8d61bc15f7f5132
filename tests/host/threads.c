// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"
void threads_run(u64 seed, int milliseconds) { }
