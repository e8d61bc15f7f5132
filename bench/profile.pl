#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Adds up the instructions that the emulator's debugger printed between two breakpoints of a
# guest: by kind of exit and by function. Guest and host are told apart by VMLAUNCH and VMRESUME
# and by the address at which exits arrive. The call stack is kept by watching calls and returns
# and corrected by what runs next, since kernels also jump by RET.

use strict;
use warnings;
no warnings 'portable';	# hex() of addresses
use Getopt::Long;

# The kind of an exit is the first of these of which it ran all functions. Functions that the
# compiler has inlined do not appear, so names are exported ones or handlers behind a pointer.
my @kinds = (
	[ 'store to a table, shadow given up', qw(shvm_insn_emulate_fault shvm_sp_kill) ],
	[ 'store to a table, shadow given up', qw(shvm_mmu_fault shvm_sp_kill) ],
	[ 'store to a table, in the loop', qw(shvm_insn_table_store shvm_mmu_table_store_now) ],
	[ 'store to a table', qw(shvm_insn_emulate_fault shvm_mmu_write) ],
	[ 'store to a table', qw(shvm_insn_emulate_fault shvm_mmu_cmpxchg) ],
	[ 'access to a device', qw(shvm_insn_emulate_fault) ],
	[ "fault, the guest's own", qw(shvm_mmu_fault shvm_event_page_fault) ],
	[ 'fault, new table', qw(shvm_mmu_fault shvm_sp_fill) ],
	[ 'fault, entry filled', qw(shvm_mmu_fault) ],
	[ "fault, the guest's own, in the loop", qw(shvm_mmu_try_fault shvm_event_page_fault) ],
	[ 'fault, entry filled, in the loop', qw(shvm_mmu_try_fault) ],
	[ 'CR3, tables compared, in the loop', qw(shvm_oos_try_sync) ],
	[ 'INVLPG', qw(shvm_mmu_invlpg) ],
	[ 'CR3, in the loop', qw(shvm_vmx_exit_cr3_short) ],
	[ 'CPUID, in the loop', qw(shvm_cpuid_query) ],
	[ 'port, in the loop', qw(shvm_insn_port_in_short) ],
	[ 'port', qw(shvm_insn_port_io) ],
	[ 'MSR written', qw(shvm_msr_write) ],
	[ 'MSR read', qw(shvm_msr_read) ],
	[ 'CR written', qw(shvm_vmx_exit_cr) ],
	[ 'host interrupt', qw(common_interrupt) ],
	[ 'host interrupt', qw(sysvec_apic_timer_interrupt) ],
);

my ($count, $stacks_file, @symbol_files) = (1);
my $lines = 40;
GetOptions('count=i' => \$count, 'stacks=s' => \$stacks_file, 'symbols=s' => \@symbol_files,
	   'lines=i' => \$lines) or die "usage: profile.pl [--count N] [--stacks FILE] --symbols FILE... <TRACE\n";

my (@at, @name);

sub read_symbols
{
	my %symbol;

	for my $file (@symbol_files) {
		open(my $in, '<', $file) or die "profile: $file: $!\n";
		while (<$in>) {
			my ($at, undef, $name) = split;
			$symbol{hex $at} //= $name;
		}
	}
	@at = sort { $a <=> $b } keys %symbol;
	@name = @symbol{@at};
}

my %function_at;

sub function
{
	my ($at) = @_;
	my ($lo, $hi) = (0, scalar @at);

	while ($lo < $hi) {
		my $mid = ($lo + $hi) >> 1;
		if ($at[$mid] <= $at) { $lo = $mid + 1 } else { $hi = $mid }
	}
	return $lo ? $name[$lo - 1] : 'unknown';
}

my (@stack, $folded, $last, %exit, %ran, $guest, $guest_total, %total, %nr, %self, %fold);

# The function that runs now, after an instruction of the kind $last.
sub enter_function
{
	my ($function) = @_;

	if ($last eq 'call') {
		push @stack, $function;
	} elsif ($last eq 'ret') {
		my ($i) = grep { $stack[$_] eq $function } reverse 0 .. $#stack;
		if (defined $i) { $#stack = $i } else { $stack[-1] = $function }
	} elsif ($last eq 'jmp') {
		$stack[-1] = $function;
	} else {		# an interrupt, or the fall into the next symbol
		push @stack, $function;
	}
	$ran{$function} = 1;
	my ($base) = grep { $stack[$_] =~ /^shvm_\w+_ioctl$/ } 0 .. $#stack;
	$folded = join ';', @stack[($base // 0) .. $#stack];
}

sub kind
{
	for my $kind (@kinds) {
		my ($name, @functions) = @$kind;
		return $name unless grep { !$ran{$_} } @functions;
	}
	return 'other';
}

sub end_exit
{
	my $kind = kind();

	$nr{$kind}++;
	while (my ($stack, $n) = each %exit) {
		$fold{$kind}{$stack} += $n;
		$total{$kind} += $n;
	}
	%exit = %ran = ();
}

my %kind_of_insn = map { $_ => substr($_, 0, 3) } qw(jmp ret iret);

sub read_trace
{
	my $exit_point = 0;

	for my $i (0 .. $#at) {
		$exit_point = $at[$i] if $name[$i] eq 'shvm_vmx_exit_point';
	}
	die "profile: no symbol shvm_vmx_exit_point\n" unless $exit_point;
	$guest = 1;
	@stack = ('shvm_vmx_exit_point');
	$folded = $stack[0];
	$last = '';
	while (<STDIN>) {
		my ($address, $insn) = /^\(0\)\S* \[\S+\] [0-9a-f]{4}:([0-9a-f]{16}) \(.*?\): (?:rep \w+ |lock |data16 )*(\w+)/
			or next;
		my $at = hex $address;
		if ($guest) {
			if ($at != $exit_point) {
				$guest_total++;
				next;
			}
			$guest = 0;
			$last = '';
		}
		my $function = $function_at{$at} //= function($at);
		if ($function =~ /^__x86_(?:indirect|return)_thunk/) {	# part of the caller's jump
			$exit{$folded}++;
			$last = 'ret' if $function =~ /return/;
			next;
		}
		enter_function($function) if $function ne $stack[-1] || $last eq 'call';
		$exit{$folded}++;
		if ($insn =~ /^call/) { $last = 'call' }
		elsif ($insn =~ /^i?ret/) { $last = 'ret' }
		elsif ($insn =~ /^j/) { $last = 'jmp' }
		elsif ($insn =~ /^vm(?:resume|launch)/) {
			end_exit();
			$guest = 1;
		} else { $last = '' }
	}
}

# Self and inclusive counts of each function, of one kind of exit or (undef) all.
sub functions
{
	my ($kind) = @_;
	my (%self, %all);

	for my $k (defined $kind ? $kind : keys %fold) {
		while (my ($stack, $n) = each %{$fold{$k}}) {
			my @functions = split /;/, $stack;
			my %seen;
			$self{$functions[-1]} += $n;
			$seen{$_}++ or $all{$_} += $n for @functions;
		}
	}
	return (\%self, \%all);
}

sub print_kinds
{
	my $host = 0;
	my $exits = 0;

	$host += $_ for values %total;
	$exits += $_ for values %nr;
	printf "%-36s %10s %12s %12s\n", 'instructions', 'times', 'each', 'per op.';
	printf "%-36s %10s %12s %12.0f\n", 'guest', '', '', $guest_total / $count;
	for my $kind (sort { $total{$b} <=> $total{$a} } keys %total) {
		printf "%-36s %10.2f %12.0f %12.0f\n", $kind, $nr{$kind} / $count,
			$total{$kind} / $nr{$kind}, $total{$kind} / $count;
	}
	printf "%-36s %10.2f %12.0f %12.0f\n", 'sum', $exits / $count, '0',
		($host + $guest_total) / $count;
}

sub print_functions
{
	my ($kind) = @_;
	my ($self, $all) = functions($kind);
	my $each = $nr{$kind};
	my $shown = 0;

	printf "\n%s, each of %d: by function\n%10s %10s\n", $kind, $nr{$kind}, 'self', 'callees too';
	for my $function (sort { ($$self{$b} // 0) <=> ($$self{$a} // 0) } keys %$self) {
		last if ++$shown > $lines || $$self{$function} / $each < 2;
		printf "%10.0f %10.0f  %s\n", $$self{$function} / $each,
			$$all{$function} / $each, $function;
	}
}

sub print_stacks
{
	open(my $out, '>', $stacks_file) or die "profile: $stacks_file: $!\n";
	printf $out "guest %d\n", $guest_total;
	for my $kind (sort keys %fold) {
		print $out "$kind;$_ $fold{$kind}{$_}\n" for sort keys %{$fold{$kind}};
	}
}

read_symbols();
read_trace();
die "profile: no exits in the trace\n" unless %nr;
print_kinds();
print_functions($_) for sort { $total{$b} <=> $total{$a} } keys %total;
print_stacks() if $stacks_file;
