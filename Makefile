# kaya: two commands for everything, thin over Meson.
#
#   make demo    see it work      make test    see it proven
#
# Both install what is missing (saying what, asking first at a terminal).

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
# The prefix that the build folder is set up for.
BUILT_FOR = $$(meson introspect --buildoptions $(BUILD) | \
	sed -nE 's/.*"name": "prefix", "value": "([^"]*)".*/\1/p')

.PHONY: all deps build demo test test-unit test-sanitize \
	test-sanitize-integration test-valgrind \
	test-debian13 test-differential fuzz check format bench install clean

all:
	@tools/deps.sh build
	@$(MAKE) --no-print-directory build

# Everything that the targets below would install one by one.
deps:
	@tools/deps.sh build test demo valgrind check fuzz bench

build:
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) --quiet

demo:
	@tools/deps.sh build test demo
	@$(MAKE) --no-print-directory build
	@tools/demo.py

test:
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@tools/test.py

test-unit:
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@tools/test.py unit

# The unit tests under AddressSanitizer, LeakSanitizer and
# UndefinedBehaviorSanitizer. To optimize what they add takes twice as long as
# all the rest; warnings are for the build that is optimized, which sees more.
test-sanitize:
	@tools/deps.sh build test
	@test -f build-sanitize/build.ninja || meson setup build-sanitize \
		-Db_sanitize=address,undefined -Doptimization=0 \
		-Dwarning_level=0 >/dev/null
	@ninja -C build-sanitize --quiet
	@KAYA_BUILD=build-sanitize ASAN_OPTIONS=detect_leaks=1 \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		tools/test.py unit

# The real programs under the same, with real and hostile peers.
test-sanitize-integration:
	@tools/deps.sh build test
	@test -f build-sanitize-integration/build.ninja || \
		meson setup build-sanitize-integration \
		-Db_sanitize=address,undefined >/dev/null
	@ninja -C build-sanitize-integration --quiet
	@KAYA_BUILD=build-sanitize-integration UBSAN_OPTIONS=print_stacktrace=1 \
		tools/test.py integration

test-valgrind:
	@tools/deps.sh build test valgrind
	@$(MAKE) --no-print-directory build
	@KAYA_TEST_WRAP="valgrind --quiet --leak-check=full --error-exitcode=99" \
		tools/test.py unit

# Lines of authorized_keys at random: kaya and a running sshd must agree; so
# must kaya and a running mosquitto on files of access rules.
test-differential:
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@KAYA_BUILD=$(BUILD) KAYA_DIFFERENTIAL=$${KAYA_DIFFERENTIAL:-2000} \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider \
		tests/integration/test_keys_differential.py
	@KAYA_BUILD=$(BUILD) KAYA_ACL_FILES=$${KAYA_ACL_FILES:-200} \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider \
		tests/integration/test_policy_acl.py

# In a chroot, ./debian13, which stays for the next time until make clean.
test-debian13:
	@tools/debian13.sh make test

# Each target for so many seconds: make fuzz SECONDS=600
SECONDS ?= 20
fuzz:
	@tools/deps.sh build test fuzz
	@tools/fuzz.sh $(SECONDS)

check:
	@tools/deps.sh build test check
	@$(MAKE) --no-print-directory build
	@tools/check.sh

format:
	@tools/deps.sh check
	@tools/check.sh format-now

bench:
	@tools/deps.sh build bench
	@$(MAKE) --no-print-directory build
	@bench/run

install: all
	@[ "$(BUILT_FOR)" = "$(PREFIX)" ] || \
		{ meson configure $(BUILD) -Dprefix="$(PREFIX)" && \
		ninja -C $(BUILD) --quiet; }
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir "$(DESTDIR)")

clean:
	@tools/debian13.sh --remove
	@rm -rf build build-*
