#!/usr/bin/env bash
# debian13.sh COMMAND...: run a command in a Debian 13 of its own, in a copy of
# this source tree. The chroot, ./debian13, is made where it is missing and
# kept; `debian13.sh --remove` removes it.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/debian13
release=trixie
source=usr/src/kaya

if [ "${1:-}" = --remove ]; then
	[ -d "$root" ] || exit 0
	# Mounts live in the namespace of a run; none must be left here.
	if grep -q " $root/" /proc/self/mounts; then
		echo "Something is mounted below $root: not removed." >&2
		exit 1
	fi
	rm -rf --one-file-system "$root"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "A chroot needs root: run this as root (sudo make test-debian13)." >&2
	exit 1
fi
tools/deps.sh debian13

# The mirror that this machine uses itself; on a machine that is no Debian,
# or to choose: KAYA_MIRROR.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# shellcheck disable=SC2016 # apt's own variable
mirror=${KAYA_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' \
	'Created-By: Packages' 'Origin: Debian' "Codename: $codename" | head -1)}
if [ -z "$mirror" ]; then
	echo "No mirror of Debian in apt's sources: name one in KAYA_MIRROR." >&2
	exit 1
fi

# How this machine gets through to the mirror: proxies, certificates, logins.
share_apt_settings() {
	local file
	mkdir -p "$root/etc/apt/apt.conf.d" "$root/etc/apt/auth.conf.d"
	apt-config dump | grep -E '^Acquire::(https?|ftp)::' \
		>"$root/etc/apt/apt.conf.d/90host" || true
	for file in /etc/apt/auth.conf /etc/apt/auth.conf.d/*.conf; do
		[ ! -f "$file" ] || cp -p "$file" "$root$file"
	done
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	if [ -d /usr/local/share/ca-certificates ]; then
		mkdir -p "$root/usr/local/share/ca-certificates"
		cp -rL /usr/local/share/ca-certificates/. \
			"$root/usr/local/share/ca-certificates"
		chroot "$root" update-ca-certificates >/dev/null 2>&1
	fi
}

if [ ! -e "$root/.complete" ]; then
	echo "Making a Debian 13 in $root"
	rm -rf --one-file-system "$root"
	mkdir -p "$root"
	# As bare as can be: what the tests need they must install themselves.
	debootstrap --variant=minbase --include=ca-certificates,git,gcc,make,libc6-dev \
		"$release" "$root" "$mirror" >"$root.log" 2>&1 || {
		tail -20 "$root.log" "$root/debootstrap/debootstrap.log" >&2 || true
		exit 1
	}
	rm -f "$root.log"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	touch "$root/.complete"
fi
share_apt_settings

# The sources as they stand here, committed or not; builds are kept. A file that
# differs is new now, whatever its age: what was built while it was already
# there, but not yet here, would be taken for newer.
mkdir -p "$root/$source"
fresh=$(mktemp -d "$root/usr/src/fresh.XXXXXX")
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' file; do
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done | tar --null -T - -cf - | tar --no-same-owner -xmf - -C "$fresh"
find "$fresh" -type f -printf '%P\0' | while IFS= read -r -d '' file; do
	! cmp -s "$root/$source/$file" "$fresh/$file" ||
		touch -r "$root/$source/$file" "$fresh/$file"
done
find "$root/$source" -mindepth 1 -maxdepth 1 -name 'build*' \
	-exec mv {} "$fresh" \;
chmod 755 "$fresh"
rm -rf "${root:?}/$source"
mv "$fresh" "$root/$source"

# Mounts and processes live in namespaces of their own: however this ends,
# they end with it.
export root source
# shellcheck disable=SC2016 # expanded inside
exec unshare --mount --pid --fork --kill-child --ipc bash -eu -c '
	# Not a chroot alone but the root of this mount namespace: without that no
	# program inside could make one of its own, or enter one (nsenter --mount
	# goes to the root of it).
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs tmpfs "$root/run"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
	pivot_root . .
	umount -l .
	exec chroot . env -i HOME=/root USER=root TERM="${TERM:-dumb}" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 CI="${CI:-}" \
		NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
		${http_proxy:+http_proxy="$http_proxy"} \
		${https_proxy:+https_proxy="$https_proxy"} \
		sh -c "cd \"/\$0\" && exec \"\$@\"" "$source" "$@"
' debian13 "$@"
