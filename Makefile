# kaya: thin, over Meson.
.PHONY: all test test-sanitize clean
all: build/build.ninja
	ninja -C build
build/build.ninja:
	meson setup build
test: all
	meson test -C build --print-errorlogs
test-sanitize:
	test -d build-asan || meson setup build-asan -Db_sanitize=address,undefined
	ninja -C build-asan && meson test -C build-asan --suite unit --print-errorlogs
clean:
	rm -rf build build-*
