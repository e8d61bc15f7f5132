/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of the host that arrive as VM exits and have to be handed to the kernel's handlers.
 */
#ifndef SHVM_COMPAT_HOST_EVENT_H
#define SHVM_COMPAT_HOST_EVENT_H

#include <linux/ptrace.h>
#include <linux/string.h>
#include <linux/version.h>
#include <asm/mce.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>

/* Run the kernel's NMI handler; interrupts off. Its IRET ends the blocking of NMIs. */
void shvm_host_nmi(void);

/*
 * A machine check was intercepted; interrupts off. The kernel decides from the interrupted mode
 * whether it can go on: its own code was not running, so it is as if user code had been.
 */
static inline void shvm_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs;

	memset(&regs, 0, sizeof(regs));
	regs.cs = __USER_CS;
	regs.ss = __USER_DS;
	regs.flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	do_machine_check(&regs);
#endif
}

/* User space's branch prediction must be cleaned before it runs again (VMSCAPE). */
static inline void shvm_host_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

#endif
