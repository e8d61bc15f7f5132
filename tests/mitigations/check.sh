#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the machine code of the module around VM entry and VM exit: are the sequences there that
# docs/security.md promises, and in the right order? The emulated CPUs cannot show that.

set -euo pipefail
export LC_ALL=C

usage()
{
	cat <<EOF
usage: tests/mitigations/check.sh [MODULE [HEADERS]]

MODULE: shvm.ko (default: build/release/shvm.ko). HEADERS: the kernel headers it was built for
(default: those that the module's build directory names). Prints TAP; status 1 if a test fails.
EOF
}

cd "$(dirname "$0")/../.."
case ${1-} in
-h | --help)
	usage
	exit 0
	;;
esac
module=${1-build/release/shvm.ko}
if [ ! -r "$module" ]; then
	echo "mitigations: no $module: build it with \"make\"" >&2
	exit 1
fi
headers=${2-$(cat "$(dirname "$module")/kdir")}
headers=${headers%/}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tests=0
failed=0

# check NAME COMMAND...: a test is a command.
check()
{
	local name=$1 verdict=ok
	shift
	if ! "$@"; then
		verdict="not ok"
		failed=$((failed + 1))
	fi
	tests=$((tests + 1))
	echo "$verdict $tests $name"
}

# The code around VM entry, one instruction or relocation in a line.
disassemble()
{
	objdump -dr --no-show-raw-insn -j .noinstr.text "$module" |
		awk '/<shvm_vmx_enter_asm>:/ { on = 1; next }
		     /^[0-9a-f]+ <shvm_vmx_exit_point>:/ { print "exit_point:"; next }
		     /^[0-9a-f]+ </ { on = 0 }
		     on && NF { sub(/^[ \t]+/, ""); print }' >"$work/code"
}

# The alternatives of .noinstr.text: "address replacement feature", in decimal. An entry of
# .altinstructions is two relocated offsets, the feature (with flags in newer kernels), two lengths.
alternatives()
{
	objdump -s -j .altinstructions "$module" |
		awk '/^ [0-9a-f]+ / { print substr($0, 7, 35) }' | tr -d ' \n' >"$work/bytes"
	objdump -r -j .altinstructions "$module" | grep R_X86_64_PC32 >"$work/relocs"
	awk -v bytes="$(cat "$work/bytes")" -v size=$(($(wc -c <"$work/bytes") /
		$(wc -l <"$work/relocs"))) '
		function hex(s,  i, n) {
			n = 0
			for (i = 1; i <= length(s); i++)
				n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return n
		}
		function addend(s) { return s ~ /\+0x/ ? hex(substr(s, index(s, "+0x") + 3)) : 0 }
		hex($1) % size == 0 { at = hex($1); site = $3 }
		hex($1) % size == 4 && site ~ /^\.noinstr\.text/ {
			pos = (at + 8) * 2 + 1
			feature = hex(substr(bytes, pos + 2, 2)) * 256 + hex(substr(bytes, pos, 2))
			print addend(site), addend($3), feature
		}' "$work/relocs" >"$work/alternatives"
}

# feature NAME: its number, or nothing if the kernel does not know it.
feature()
{
	local dir
	for dir in "$headers" "${headers%-*-amd64}-common" "${headers%-amd64}-common"; do
		[ -r "$dir/arch/x86/include/asm/cpufeatures.h" ] || continue
		awk -v name="X86_FEATURE_$1" '
			$1 == "#define" && $2 == name && match($0, /[0-9]+\*32 *\+ *[0-9]+/) {
				split(substr($0, RSTART, RLENGTH), n, /\*32 *\+/)
				print n[1] * 32 + n[2]
			}' "$dir/arch/x86/include/asm/cpufeatures.h"
		return
	done
	echo "mitigations: no cpufeatures.h for $headers" >&2
	exit 1
}

# line PATTERN: number of the first line of the code that matches.
line()
{
	awk -v pattern="$1" '$0 ~ pattern { print NR; exit }' "$work/code"
}

# entry_of FEATURE FIELD: of its first alternative, 1: address, 2: replacement.
entry_of()
{
	local number
	number=$(feature "$1")
	[ -n "$number" ] || return 0
	awk -v f="$number" -v field="$2" '$3 == f { print $field; exit }' "$work/alternatives"
}

# site FEATURE: line of the code where its alternative begins.
site()
{
	local address
	address=$(entry_of "$1" 1)
	[ -z "$address" ] || line "^$(printf %x "$address"):"
}

# replacement FEATURE [BYTES]: what it puts there (and a little more, or that many bytes of it).
replacement()
{
	local start
	start=$(entry_of "$1" 2)
	[ -z "$start" ] || objdump -dr --no-show-raw-insn -j .altinstr_replacement \
		--start-address="$start" --stop-address=$((start + ${2-44})) "$module"
}

# call_of FUNCTION: line of the call.
call_of()
{
	awk -v f="$1" '/call/ { at = NR } $0 ~ f { print at; exit }' "$work/code"
}

# Returns of what the first call calls have their calls behind the exit; no other may come earlier:
# when it says no, the very next instruction is the fill, and all else comes behind that.
fill_comes_first()
{
	local from full lite short others jump
	from=$(line '^exit_point:')
	full=$(site RSB_VMEXIT)
	lite=$(site RSB_VMEXIT_LITE)
	short=$(call_of shvm_vmx_exit_short)
	others=$(call_of shvm_vmx_exit_others)
	[ -n "$full" ] && [ -n "$lite" ] && [ -n "$short" ] && [ -n "$others" ] &&
		[ "$from" -lt "$short" ] && [ "$short" -lt "$full" ] &&
		[ "$full" -lt "$lite" ] && [ "$lite" -lt "$others" ] || return
	jump=$(printf %x "$(entry_of RSB_VMEXIT 1)")
	sed -n "$((short + 2))p" "$work/code" | grep -qE 'test +%al,%al' &&
		sed -n "$((short + 3))p" "$work/code" | grep -qE "je +$jump " &&
		! sed -n "$from,${lite}p" "$work/code" | sed "$((short - from + 1))d" |
			grep -qE '\b(ret|call)|jmp +\*|__x86'
}

# calls_only FUNCTION CALLEE...: it is where no probe can be, and calls nothing else.
calls_only()
{
	local function=$1
	shift
	objdump -dr --no-show-raw-insn -j .noinstr.text "$module" |
		awk -v f="<$function>:" 'index($0, f) { on = 1 } /^$/ { on = 0 } on' >"$work/function"
	[ -s "$work/function" ] &&
		! grep -oE 'R_X86_64_(PLT32|PC32)\s+[.A-Za-z_][^-+]*' "$work/function" |
			grep -vwE "$(IFS='|'; echo "$*")|__x86_return_thunk"
}

short_exit_cannot_be_probed()
{
	calls_only shvm_vmx_exit_short shvm_vpid_load shvm_vmx_insn_failed &&
		calls_only shvm_vpid_load shvm_mmu_use_tag pool_restart '.noinstr.text' \
			shvm_vmx_insn_failed this_cpu_off __stack_chk_fail &&
		calls_only shvm_mmu_use_tag
}

# A failed entry may come after an exit: its way out has a fill of its own.
failed_entry_is_filled()
{
	[ "$(awk -v f="$(feature RSB_VMEXIT)" '$3 == f' "$work/alternatives" | wc -l)" -eq 2 ]
}

# calls_then_lfence FEATURE N: N calls of 5 bytes, each with INT3 behind it where a RET would go;
# then the stack pointer goes back over them all, and LFENCE.
calls_then_lfence()
{
	replacement "$1" $(($2 * 6 + 10)) | awk -v n="$2" -v sp="$(printf %x $(($2 * 8)))" '
		/^ *[0-9a-f]+:/ {
			insn = $2
			if (state < 2 * n)
				ok = insn == (state % 2 ? "int3" : "call")
			else if (state == 2 * n)
				ok = insn == "add" && $3 == "$0x" sp ",%rsp"
			else if (state == 2 * n + 1)
				ok = done = insn == "lfence"
			else
				exit
			if (!ok)
				exit
			state++
		}
		END { exit !done }'
}

comes_after()
{
	local first second
	first=$(site "$1")
	second=$(site "$2")
	[ -n "$first" ] && [ -n "$second" ] && [ "$second" -gt "$first" ]
}

spec_ctrl_is_written()
{
	local at
	at=$(site KERNEL_IBRS)
	[ -n "$at" ] && sed -n "$at,$((at + 9))p" "$work/code" >"$work/spec_ctrl" &&
		grep -q x86_spec_ctrl_current "$work/spec_ctrl" && grep -q wrmsr "$work/spec_ctrl"
}

# before_short_exit FEATURE: its alternative lies between VM exit and the call.
before_short_exit()
{
	local at call
	at=$(site "$1")
	call=$(call_of shvm_vmx_exit_short)
	[ -n "$at" ] && [ -n "$call" ] && [ "$at" -gt "$(line '^exit_point:')" ] &&
		[ "$call" -gt "$at" ]
}

bhb_is_cleared()
{
	[ -z "$(feature CLEAR_BHB_LOOP_ON_VMEXIT)" ] && return
	replacement CLEAR_BHB_LOOP_ON_VMEXIT | grep -q clear_bhb_loop &&
		before_short_exit CLEAR_BHB_LOOP_ON_VMEXIT
}

# After VERW nothing is read or written before the guest runs: no operand in parentheses.
verw_is_last()
{
	local verw launch
	verw=$(line verw)
	launch=$(line vmresume)
	[ -n "$verw" ] && [ -n "$launch" ] && [ "$launch" -gt "$verw" ] &&
		! sed -n "$((verw + 1)),${launch}p" "$work/code" | grep -v R_X86_64 | grep -q '('
}

every_entry_passes_verw()
{
	local resume
	resume=$(awk '/vmresume/ { sub(":.*", ""); print; exit }' "$work/code")
	[ "$(grep -cE 'vmlaunch|vmresume' "$work/code")" -eq 2 ] &&
		[ "$(line vmlaunch)" -gt "$(line verw)" ] &&
		[ "$(grep -cE "j[a-z]+ +$resume " "$work/code")" -eq 1 ] &&
		[ "$(line "j[a-z]+ +$resume ")" -gt "$(line verw)" ] &&
		[ "$(objdump -d --no-show-raw-insn "$module" | grep -cE 'vmlaunch|vmresume')" -eq 2 ]
}

registers_are_cleared()
{
	local from to register
	from=$(line '^exit_point:')
	to=$(call_of shvm_vmx_exit_short)
	for register in eax ecx edx ebx esi r8d r9d r10d r11d r12d r13d r14d r15d; do
		sed -n "$from,${to}p" "$work/code" |
			grep -q "xor *%$register,%$register" || return 1
	done
	sed -n "$from,${to}p" "$work/code" | grep -q 'lea *0x[0-9a-f]*(%rsp),%rbp' &&
		sed -n "$((to - 1))p" "$work/code" | grep -q 'mov *(%rsp),%rdi'
}

barrier_between_guests()
{
	objdump -dr --no-show-raw-insn -j .text "$module" |
		awk '/^[0-9a-f]+ <shvm_vmx_load>:/ { on = 1 } /^$/ { on = 0 } on' >"$work/load"
	grep -q x86_pred_cmd "$work/load"
}

vmscape_flag_is_set()
{
	[ -z "$(feature IBPB_EXIT_TO_USER)" ] ||
		objdump -r "$module" | grep x86_ibpb_exit_to_user >/dev/null
}

disassemble
alternatives
echo "TAP version 13"
echo "1..14"
check "RSB fill comes before any return of a call made before the guest ran" fill_comes_first
check "before it runs nothing that can be probed" short_exit_cannot_be_probed
check "RSB fill comes after a failed entry, too" failed_entry_is_filled
check "RSB fill is 32 calls and LFENCE" calls_then_lfence RSB_VMEXIT 32
check "where one call is enough, it has retired" calls_then_lfence RSB_VMEXIT_LITE 1
check "the full fill goes before it" comes_after RSB_VMEXIT RSB_VMEXIT_LITE
check "SPEC_CTRL is written where the kernel runs with IBRS" spec_ctrl_is_written
check "SPEC_CTRL is written before any call" before_short_exit KERNEL_IBRS
check "branch history is cleared before any call" bhb_is_cleared
check "no memory access between VERW and VM entry" verw_is_last
check "every VM entry passes VERW" every_entry_passes_verw
check "guest values leave the registers" registers_are_cleared
check "IBPB between guests" barrier_between_guests
check "user space gets its IBPB after a guest ran" vmscape_flag_is_set
[ $failed -eq 0 ]
