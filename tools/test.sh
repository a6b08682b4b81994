#!/usr/bin/env bash
# test.sh [unit] [integration] [interop]: run the tests, end with one line
# `N passed, N failed` (`, N skipped`) over all of them.
set -u
cd "$(dirname "$0")/.."
build=$(realpath -m "${KAYA_BUILD:-build}")
parts=${*:-unit integration interop}
log=$build/test-logs
rm -rf "$log" && mkdir -p "$log"
passed=0 failed=0 skipped=0
started=$SECONDS

unit() {
	local program name report
	while read -r program; do
		name=${program##*/}
		report=$log/$name.tap
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 600 "$program" \
			>"$report" 2>&1 </dev/null
		local status=$?
		local good bad none
		good=$(grep -cE '^ok ' "$report")
		# cmocka calls a skipped test "not ok # SKIP".
		none=$(grep -cE '^not ok .*# SKIP' "$report")
		bad=$(($(grep -cE '^not ok ' "$report") - none))
		grep -B1 -E '^not ok .*# SKIP' "$report" |
			sed 's/^not ok [0-9]* # SKIP /SKIPPED /; /^--$/d'
		# A crash, a leak or a time-out fails though no test said so.
		if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
		# A program that ran no test has tested nothing.
		if [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
		if [ "$bad" -gt 0 ]; then
			echo "FAILED $name (status $status)"
			cat "$report"
		else
			echo "ok $name: $good"
		fi
		passed=$((passed + good)) failed=$((failed + bad))
		skipped=$((skipped + none))
	done < <(find "$build/tests/unit" -maxdepth 2 -type f -name 'test_*' \
		-perm -u+x | sort)
}

with_pytest() {
	local folder=tests/$1 report=$log/$1.txt
	PYTHONDONTWRITEBYTECODE=1 KAYA_BUILD=$build /usr/bin/python3 -m pytest \
		-p no:cacheprovider -n "${KAYA_TEST_JOBS:-2}" --dist loadgroup \
		-q -rs "$folder" \
		2>&1 </dev/null | tee "$report"
	local status=${PIPESTATUS[0]} line
	line=$(grep -E '^[0-9]+ (passed|failed|skipped)|^=.* in [0-9.]+s|no tests ran' "$report" | tail -1)
	local good bad errors none
	good=$(number passed "$line") bad=$(number failed "$line")
	errors=$(number 'errors?' "$line") none=$(number skipped "$line")
	bad=$((bad + errors))
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
	passed=$((passed + good)) failed=$((failed + bad))
	skipped=$((skipped + none))
}

# number WORD LINE: the number before the word, 0 where it is not there.
number() {
	local found
	found=$(grep -oE "[0-9]+ $1" <<<"$2" | head -1)
	echo "${found%% *}" | grep . || echo 0
}

for part in $parts; do
	echo "== $part"
	case $part in
	unit) unit ;;
	*) with_pytest "$part" ;;
	esac
done
echo "in $((SECONDS - started)) s"
if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ] && [ $passed -gt 0 ]
