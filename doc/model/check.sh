#!/usr/bin/env bash
# check.sh: search the model of approvals through whole (spin), then leave out
# one of its checks after the other and see that each is missed.
set -u
model=$(cd "$(dirname "$0")" && pwd)/approval.pml
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit

# One command with those who ask for it at the other gateway, to the end of
# all; and two, for whatever one may have to do with another.
one=(-DCOMMANDS=1 -DPATIENCE=1)
two=(-DCOMMANDS=2)

# search OPTION...: what pan says of the model built so, in ./told.
search() {
	rm -f pan*
	{
		spin "$@" -a "$model" &&
			gcc -O2 -DSAFETY -DNOBOUNDCHECK -o pan pan.c
	} >built 2>&1 || {
		cat built
		return 1
	}
	# A cut search would say so, and is looked for below.
	./pan -m100000 -w22 >told 2>&1
}

# All of it, without an error; of each process every step was taken.
whole() {
	local states
	search "$@" || return
	states=$(sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' told)
	if ! grep -q 'errors: 0$' told ||
		grep -qE 'not completed|too small|out of memory|truncated' told ||
		grep -E 'state [0-9]+, ' told | grep -qv -e '"-end-"'; then
		cat told
		echo "FAILED approval.pml $*"
		return 1
	fi
	echo "ok approval.pml $*: $states states, all searched"
}

# missed MUTANT OPTION...: an assertion has to fail.
missed() {
	local mutant=$1
	shift
	search "-DMUTANT_$mutant" "$@" || return
	if ! grep -q 'assertion violated' told || ! grep -q 'errors: 1$' told; then
		cat told
		echo "FAILED approval.pml: nobody misses what MUTANT_$mutant leaves out"
		return 1
	fi
}

failed=0
whole "${one[@]}" || failed=1
# What is only waited for, or said of ends, is not in this one.
whole "${two[@]}" || failed=1
count=0
for mutant in SAME KEY ROLE NONCE SIGNATURE LATE OWNER_LATE AGAIN OTHER \
	RESTART LEAVES STOP OWNER_STOP POLICY OWNER_POLICY WAITS; do
	missed $mutant "${two[@]}" || failed=1
	count=$((count + 1))
done
for mutant in TIMER PATIENCE; do
	missed $mutant "${one[@]}" || failed=1
	count=$((count + 1))
done
# Every mutant in the model is one of these.
[ "$(grep -oE 'MUTANT_[A-Z_]+' "$model" | sort -u | wc -l)" -eq $count ] || {
	echo "FAILED approval.pml has other mutants than are tried here"
	failed=1
}
[ $failed -ne 0 ] || echo "ok approval.pml: each of $count checks left out is missed"
exit $failed
