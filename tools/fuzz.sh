#!/usr/bin/env bash
# fuzz.sh [SECONDS]: run each fuzz target for so long. What they find out
# (corpora, crashes) stays in build-fuzz until `make clean`.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-20}
build="build-fuzz"
corpora=$build/corpus
crashes=$build/crashes

test -f $build/build.ninja || CC=clang meson setup $build -Dfuzz=true \
	-Db_sanitize=address,undefined -Db_lundef=false >/dev/null
ninja -C $build --quiet
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

passed=0 failed=0
while read -r target; do
	name=${target##*/fuzz_}
	room=${target%/*}
	corpus=$corpora/$name
	mkdir -p "$corpus" "$crashes"
	# Seeds stand beside the target, or are what the unit tests read.
	seeds=()
	for folder in "tests/fuzz/${room##*/}/$name" \
		"tests/unit/${room##*/}/data"; do
		[ ! -d "$folder" ] || seeds+=("$folder")
	done
	if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$crashes/$name-" -print_final_stats=1 \
		"$corpus" "${seeds[@]}" </dev/null >"$build/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$build/$name.log") runs in $seconds s"
	else
		failed=$((failed + 1))
		echo "FAILED $name"
		tail -40 "$build/$name.log"
	fi
done < <(find $build/tests/fuzz -type f -name 'fuzz_*' -perm -u+x | sort)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
