/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is called with one CPU online and interrupts off, before the machine sleeps and after. The
 * callbacks got an argument, in releases of long-term kernels too, so Kbuild looks which header
 * this kernel has.
 */
#ifndef SHVM_COMPAT_SYSCORE_H
#define SHVM_COMPAT_SYSCORE_H

#include <linux/syscore_ops.h>

#ifdef SHVM_SYSCORE_HAS_DATA

/* name: defines what shvm_syscore_register(&name) takes. */
#define SHVM_DEFINE_SYSCORE(name, on_suspend, on_resume)				\
	static int name##_suspend(void *data)						\
	{										\
		return on_suspend();							\
	}										\
	static void name##_resume(void *data)						\
	{										\
		on_resume();								\
	}										\
	static const struct syscore_ops name##_ops = {					\
		.suspend = name##_suspend,						\
		.resume = name##_resume,						\
	};										\
	static struct syscore name = { .ops = &name##_ops }

#define shvm_syscore_register(s)	register_syscore(s)
#define shvm_syscore_unregister(s)	unregister_syscore(s)

#else

#define SHVM_DEFINE_SYSCORE(name, on_suspend, on_resume)				\
	static struct syscore_ops name = {						\
		.suspend = on_suspend,							\
		.resume = on_resume,							\
	}

#define shvm_syscore_register(s)	register_syscore_ops(s)
#define shvm_syscore_unregister(s)	unregister_syscore_ops(s)

#endif
#endif
