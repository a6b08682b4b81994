# kaya: two commands for everything, thin over Meson.
#
#   make demo    see it work      make test    see it proven
#
# Both install what is missing (saying what, asking first at a terminal).

PREFIX ?= /usr/local
BUILD ?= build

.PHONY: all deps build demo test test-unit test-sanitize test-valgrind \
	test-debian13 fuzz check format bench install clean

all: deps build

deps:
	@tools/deps.sh build test demo

build:
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) --quiet

demo:
	@tools/deps.sh build test demo
	@$(MAKE) --no-print-directory build
	@tools/demo.sh

test:
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@tools/test.sh

test-unit:
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@tools/test.sh unit

# The unit tests under AddressSanitizer, LeakSanitizer and
# UndefinedBehaviorSanitizer.
test-sanitize:
	@tools/deps.sh build test
	@test -f build-sanitize/build.ninja || meson setup build-sanitize \
		-Db_sanitize=address,undefined >/dev/null
	@ninja -C build-sanitize --quiet
	@KAYA_BUILD=build-sanitize \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		tools/test.sh unit

clean:
	@rm -rf build build-*
