# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For scripts in the test machine: a VM that is held in the background by the program holder of the
# selftests.

trap '' PIPE	# a holder that died is a failed check, not the end of the script

# hold DEVICE: starts a VM with running vCPUs. One at a time.
hold()
{
	rm -f /tmp/ask /tmp/answer
	mkfifo /tmp/ask /tmp/answer
	/payload/holder --dev "$1" </tmp/ask >/tmp/answer 2>/tmp/holder.log &
	holder=$!
	exec 3>/tmp/ask 4</tmp/answer
	answered
}

answered()
{
	read -r answer <&4 && [ "$answer" = ok ] && return
	cat /tmp/holder.log
	return 1
}

# Its vCPUs run, and find what they expect.
alive()
{
	echo >&3
	answered
}

# Ends it; true if nothing was wrong.
release()
{
	exec 3>&- 4<&-
	wait "$holder"
}

killed()
{
	kill -9 "$holder"
	release
	[ $? -eq 137 ]
}

# works DEVICE: a VM of its own runs for a moment.
works()
{
	/payload/holder --dev "$1" </dev/null
}
