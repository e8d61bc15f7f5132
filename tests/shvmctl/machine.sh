# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2317,SC2154 # functions are called by check, which sets status
#
# Test of shvmctl in the test machine, with VMs of the program holder. For busybox sh. TAP.

# shellcheck disable=SC1091 # they are in the payload
. /payload/tap.sh
# shellcheck disable=SC1091
. /payload/holder.sh

ctl=/payload/shvmctl
export TERM=xterm TERMINFO=/tmp/terminfo LANG=C.UTF-8
mkdir -p /tmp/terminfo/x
cp /payload/xterm /tmp/terminfo/x
echo "other:x:1000:1000::/:/bin/sh" >>/etc/passwd
echo "root:x:0:0::/:/bin/sh" >>/etc/passwd

# says STATUS PATTERN ARGUMENT...: shvmctl ends so and prints a line like that.
says()
{
	wanted=$1 pattern=$2
	shift 2
	"$ctl" "$@" >/tmp/said 2>&1
	got=$?
	cat /tmp/said
	[ "$got" -eq "$wanted" ] && grep -q -e "$pattern" /tmp/said
}

# other STATUS PATTERN ARGUMENT...: the same, asked by another user.
other()
{
	wanted=$1 pattern=$2
	shift 2
	su other -c "$ctl $*" >/tmp/said 2>&1
	got=$?
	cat /tmp/said
	[ "$got" -eq "$wanted" ] && grep -q -e "$pattern" /tmp/said
}

# on COLUMNSxROWS LINES ARGUMENT...: shvmctl in a terminal of its own; see pty.c.
on()
{
	size=$1 lines=$2
	shift 2
	printf '%b\n' "$lines" | /payload/pty "$size" "$ctl" "$@"
}

# json KEY ARGUMENT...: the number of that key, or its text.
json()
{
	key=$1
	shift
	"$ctl" "$@" --json | sed 's/[,{}]/\n/g' | sed -n "s/^ *\"$key\": *\"*\([^\"]*\)\"*\$/\1/p" |
		head -n 1
}

is()
{
	echo "$1, expected $2"
	[ "$1" = "$2" ]
}

is_more()
{
	echo "$1, expected more than $2"
	[ "$1" -gt "$2" ]
}

# begin NAME TEXT ARGUMENT...: shvmctl in the background, and it has printed TEXT to /tmp/NAME.
begin()
{
	tool=$1 text=$2
	shift 2
	: >"/tmp/$tool"
	"$ctl" "$@" >"/tmp/$tool" 2>&1 3>&- 4<&- &
	echo $! >"/tmp/$tool.pid"
	printed "$tool" "$text"
}

# printed NAME TEXT: waits until it has.
printed()
{
	until grep -q "$2" "/tmp/$1"; do
		kill -0 "$(cat "/tmp/$1.pid")" || return
		sleep 0.1
	done
}

# ends NAME STATUS PATTERN: it ends so and has printed a line like that.
ends()
{
	wait "$(cat "/tmp/$1.pid")"
	got=$?
	cat "/tmp/$1"
	echo "status $got"
	[ "$got" -eq "$2" ] && grep -q -e "$3" "/tmp/$1"
}

# top in a terminal of its own, which gets the rest of what it shall do from /tmp/more.
begin_top()
{
	mkfifo /tmp/more
	: >/tmp/top
	{ exec 3>&- 4<&-; printf 'expect INVLPG\nsay top runs\n'; cat /tmp/more; } |
		/payload/pty 80x24 "$ctl" top --interval 0.2 >/tmp/top 2>&1 3>&- 4<&- &
	echo $! >/tmp/top.pid
	printed top "top runs"
}

# What the VM has in memory is swapped out, but for what it uses.
swap_out()
{
	modload lzo-rle && modload zram && use_swap || return
	# It reclaims what it can, and complains that it was not all.
	echo 64M >/sys/fs/cgroup/vm/memory.reclaim
	grep VmSwap /proc/"$holder"/status
}

picture()
{
	says 0 "watching" heatmap 1 --count 3 --interval 0.2 --png /tmp/map.png &&
		head -c 4 /tmp/map.png | grep -q PNG
}

plan 68
check "without the module" says 3 "the module shvm is not loaded" list
check "doctor without the module" says 1 "insmod build/release/shvm.ko" doctor
# shellcheck disable=SC2086 # none or one parameter
insmod /payload/shvm.ko $SHVM_ARGS
modload msr
check "doctor" says 0 "VMs of shvm can run here" doctor
check "doctor: CPU" says 0 "^ok  *VT-x" doctor
check "doctor: firmware" says 0 "^ok  *firmware  *it allows VT-x" doctor
check "doctor: /dev/shvm" says 0 "^ok  */dev/shvm" doctor
check "doctor of a user" other 1 "^bad  */dev/shvm  *may not be opened by user 1000" doctor
check "doctor of a user: firmware" other 1 "^unknown  *firmware.*Permission denied" doctor
check "no VM" says 0 "no VM" list
check "no VM, JSON" says 0 '^\]' list --json
check "a VM that is not there" says 5 "there is no VM 1, or it has ended" show 1

# What the VM takes is charged to a cgroup of its own.
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/vm
echo $$ >/sys/fs/cgroup/vm/cgroup.procs
check "a VM runs" hold /dev/shvm
echo $$ >/sys/fs/cgroup/cgroup.procs
check "list" says 0 "^ *1  *$holder  *0  *2  *10 MiB .* ok" list
check "list, JSON" is "$(json pid list)" "$holder"
check "list in 20 columns" on 20x24 'expect VM 1\r\nexpect PID\nexpect STATE ok\nstatus 0' list
check "show" says 0 "^ *1  .*  paging-64" show 1
check "show, JSON" is "$(json mode show 1)" paging-64
check "stat" says 0 "^exits  *[1-9]" stat 1
check "stat, JSON" is "$(json vm stat 1)" 1
check "stat of a vCPU" says 0 "^faults  *[1-9]" stat 1 --vcpu 1
check "stat of a vCPU: nothing of the VM" not says 0 "shadow pages" stat 1 --vcpu 1
check "stat of a vCPU that is not there" says 5 "no such vCPU" stat 1 --vcpu 7
check "stat per second" says 0 "^  INVLPG  *[1-9]" stat 1 --interval 0.2 --count 2
check "stat per second, JSON" is_more "$(json exits stat 1 --interval 0.2 --count 1 |
	sed 's/[.].*//')" 100
check "budget" says 0 "^budget 128 pages" budget 1
check "budget is set" says 0 "^budget 500 pages" budget 1 500
check "budget stays" is "$(json shadow_budget show 1)" 500
check "budget, the default" says 0 "^budget 128 pages" budget 1 0
check "reclaim" says 0 "^[1-9][0-9]* shadow pages" reclaim 1
check "reclaim, JSON" is_more "$(json reclaimed reclaim 1 --pages 1)" 0
check "the VM does not mind" alive
check "top, JSON" is_more "$(json exits top --count 1 | sed 's/[.].*//')" 100

for command in "stat 1" "budget 1" "budget 1 500" "reclaim 1" "heatmap 1"; do
	check "$command of another user's VM" other 4 "VM 1 belongs to another user" "$command"
done
check "list for another user" other 0 "^ *1 .* other user" list

check "heatmap: in use" is_more "$(json hot heatmap 1 --count 3 --interval 0.2)" 65536
check "heatmap: fits" says 0 "^The working set fits" heatmap 1 --count 3 --interval 0.2
check "heatmap in a terminal" on 80x24 'expect █\nexpect untouched\nstatus 0' heatmap 1 \
	--count 2 --interval 0.2
check "heatmap in 20 columns" on 20x24 'expect fits\nstatus 0' heatmap 1 --count 1
check "heatmap, picture" picture
check "heatmap, picture in no directory" says 1 "cannot write /none/map.png: No such file" \
	heatmap 1 --count 1 --png /none/map.png
check "nothing is swapped out" is "$(json swapped heatmap 1 --count 1)" 0
check "memory is swapped out" swap_out
check "heatmap: swapped out" is_more "$(json swapped heatmap 1 --count 1)" 1000000
check "the VM does not mind" alive

check "top" on 80x24 'expect EXITS/S\nexpect VM 1: exits/s by reason\nexpect INVLPG\nsend q\nstatus 0\nrestored' top --interval 0.2
check "top, ended by Ctrl-C" on 80x24 'expect INVLPG\nsignal 2\nstatus 130\nrestored' top \
	--interval 0.2
check "top, ended by SIGTERM" on 80x24 'expect INVLPG\nsignal 15\nstatus 143\nrestored' top \
	--interval 0.2
check "top, the terminal goes" on 80x24 'expect INVLPG\nhangup\nstatus 129' top --interval 0.2
check "top, another size" on 80x24 'expect INVLPG\nsize 100x30\nexpect STATE\nsize 20x4\nexpect EXITS\nsend q\nstatus 0\nrestored' top --interval 0.2
check "top in 20 columns" on 20x24 'expect EXITS\nexpect exits/s\nsend q\nstatus 0\nrestored' \
	top --interval 0.2
check "top in a terminal that is not known" says 1 "top needs a terminal" top
check "stat begins" begin stat "PER SECOND" stat 1 --interval 0.2
check "heatmap begins" begin heatmap "watching" heatmap 1 --interval 0.2 --count 1000
check "top begins" begin_top
check "monitor begins" begin monitor "waiting for events" monitor --count 6 --json
check "the VM ends" release
check "stat: the VM has ended" ends stat 5 "there is no VM 1, or it has ended"
check "heatmap: the VM has ended" ends heatmap 5 "VM 1 has ended"
check "another VM comes" works /dev/shvm
check "monitor: the VM ends" grep '"event":"vm-destroyed","vm":1' /tmp/monitor
check "monitor: another one comes" ends monitor 0 '"event":"vcpu-created","vm":2,"vcpu":1'
check "monitor: nothing was lost" not grep lost /tmp/monitor
check "the module is taken out" rmmod shvm
printf 'expect the module shvm is not loaded\nstatus 3\nrestored\n' >/tmp/more
check "top: the module has gone" ends top 0 "top runs"
exit "$status"
