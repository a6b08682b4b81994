#!/usr/bin/env bash
# check.sh: what a reviewer should not have to look for: format, lint, manuals.
# check.sh format-now: write the format into the files.
set -u
cd "$(dirname "$0")/.." || exit
failed=()

c_files() { git ls-files '*.c' '*.h'; }

# part NAME COMMAND...: run, tell, remember.
part() {
	local name=$1 started=$SECONDS
	shift
	if "$@"; then
		echo "ok $name ($((SECONDS - started)) s)"
	else
		failed+=("$name")
		echo "FAILED $name"
	fi
}

# The format is that of version 14; others break lines elsewhere.
clang_format() {
	local program
	for program in clang-format-14 clang-format; do
		command -v $program >/dev/null || continue
		case $($program --version) in
		*'version 14.'*) c_files | xargs $program "$@"; return ;;
		esac
	done
	echo "skipped: there is no clang-format 14 here"
}

tidy() {
	local database=build-tidy
	# A build folder of its own: clang knows nothing of gcc's options.
	test -f $database/build.ninja ||
		CC=clang meson setup $database >/dev/null || return
	# What the build generates must be there to be included.
	ninja -C $database --quiet || return
	local told
	told=$(git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 4 \
		clang-tidy -p $database --quiet 2>/dev/null)
	[ -z "$told" ] || echo "$told"
	! grep -qE 'warning:|error:' <<<"$told"
}

check_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
		--enable=warning,performance,portability -D_GNU_SOURCE \
		--suppress=missingIncludeSystem --suppress=unknownMacro src
}

# scdoc itself writes empty paragraphs, long lines and titles in lower case.
scdoc_ways='skipping paragraph macro|longer than 80 bytes'
scdoc_ways+='|lower case character in document title'
manuals() {
	local page folder text told status=0
	folder=$(mktemp -d)
	for page in doc/*.scd; do
		# mandoc looks at the name, too.
		text=$folder/$(basename "$page" .scd)
		if ! scdoc <"$page" >"$text"; then
			echo "$page is not scdoc(5)"
			status=1
		fi
		told=$(mandoc -T lint "$text" | grep -vE "$scdoc_ways")
		if [ -n "$told" ]; then
			echo "$page: $told"
			status=1
		fi
	done
	rm -r "$folder"
	return $status
}

scripts() {
	git ls-files -z '*.sh' .ci/run bench/run | xargs -0 shellcheck
}

python() {
	git ls-files -z '*.py' | xargs -0 /usr/bin/python3 -W error -c '
import sys
for name in sys.argv[1:]:
    with open(name) as file:
        compile(file.read(), name, "exec")'
}

if [ "${1:-}" = format-now ]; then
	clang_format -i
	exit
fi
part format clang_format --dry-run -Werror
part cppcheck check_cppcheck
part manuals manuals
part scripts scripts
part python python
part model doc/model/check.sh
part clang-tidy tidy
[ ${#failed[@]} -eq 0 ] || {
	echo "Not in order: ${failed[*]}"
	exit 1
}
