# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of shvmctl for bash: /usr/share/bash-completion/completions/shvmctl

# The VMs that are there.
_shvmctl_vms()
{
	shvmctl list --json 2>/dev/null | sed -n 's/^ *"id": *\([0-9]*\).*/\1/p'
}

# _shvmctl_options COMMAND
_shvmctl_options()
{
	case $1 in
	stat) echo --vcpu --interval --count ;;
	top) echo --interval --count ;;
	monitor) echo --count ;;
	reclaim) echo --pages ;;
	heatmap) echo --hot --warm --fine --png --interval --count ;;
	esac
	echo --json --help
}

_shvmctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=

	if [ "$COMP_CWORD" -eq 1 ]; then
		words="list show stat top monitor reclaim budget heatmap doctor --help --version"
	elif [[ $previous == --png ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	elif [[ $previous == --@(vcpu|interval|count|pages|hot|warm) ]]; then
		return
	elif [[ $word == -* ]]; then
		words=$(_shvmctl_options "${COMP_WORDS[1]}")
	elif [[ ${COMP_WORDS[1]} == @(show|stat|reclaim|budget|heatmap) ]]; then
		words=$(_shvmctl_vms)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _shvmctl shvmctl
