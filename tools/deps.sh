#!/usr/bin/env bash
# deps.sh GROUP...: install what is missing of the groups in packages.txt.
# Says what and why first, and asks where a person is at the terminal.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: what is needed stands in tools/packages.txt."
	exit 0
fi

# known PACKAGE|PACKAGE...: the first that apt knows, else the first.
known() {
	local name
	for name in ${1//|/ }; do
		if apt-cache show "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "${1%%|*}"
}

declare -A installed=()
while read -r package status; do
	case $status in *' ok installed') installed[$package]=yes ;; esac
done < <(dpkg-query -W -f '${Package} ${Status}\n')

declare -A wanted=()
missing=()
while read -r group names reason; do
	case $group in '#'* | '') continue ;; esac
	case " $* " in *" $group "*) ;; *) continue ;; esac
	case $names in
	*:*) command -v "${names##*:}" >/dev/null && continue ;;
	esac
	names=${names%%:*}
	for package in ${names//|/ }; do
		[ -z "${installed[$package]:-}" ] || continue 2
	done
	[ -z "${wanted[$names]:-}" ] || continue
	wanted[$names]=$reason
	missing+=("$names")
done <"$here/packages.txt"
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Missing Debian packages:"
for names in "${missing[@]}"; do
	printf '  %-22s %s\n' "${names%%|*}" "${wanted[$names]}"
done
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo)
	# Without a terminal nobody can type a password.
	[ -t 0 ] || as_root=(sudo -n)
	if ! command -v sudo >/dev/null || { [ ! -t 0 ] &&
		! "${as_root[@]}" true 2>/dev/null; }; then
		echo "Only root can install them. As root, run"
		echo "  apt-get update && apt-get install --no-install-recommends" \
			"$(for names in "${missing[@]}"; do known "$names"; done | xargs)"
		echo "and come back."
		exit 1
	fi
fi
if [ -t 0 ] && [ -t 1 ]; then
	read -r -p "Install them now with apt-get? [Y/n] " answer
	case $answer in [nN]*) exit 1 ;; esac
fi

apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get \
		-qq -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Servers come with their packages and start by themselves; the tests and the
# demo start their own. Nobody asked for an sshd or a broker on this machine:
# what comes along is neither started now nor at the next boot. (A policy that
# is there already is its owner's word and stays.)
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
ours=
clean_up() {
	rm -f "$log"
	[ -z "$ours" ] || "${as_root[@]}" rm -f $policy
}
trap clean_up EXIT
if [ ! -e $policy ]; then
	ours=yes
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
fi
keep_off() {
	local package unit
	command -v systemctl >/dev/null || return 0
	for package; do
		for unit in $(dpkg -L "$package" | sed -nE \
			's,^.*/systemd/system/([^/@]+\.(service|socket))$,\1,p'); do
			if "${as_root[@]}" systemctl disable "$unit" \
				>/dev/null 2>&1; then
				echo "Left disabled: $unit"
			fi
		done
	done
}

updated=
update() {
	[ -z "$updated" ] || return 1
	updated=yes
	apt update
}
install() {
	local names packages=()
	for names in "${missing[@]}"; do packages+=("$(known "$names")"); done
	apt install -y --no-install-recommends "${packages[@]}" \
		>"$log" 2>&1 || return
	keep_off "${packages[@]}"
	echo "Installed: ${packages[*]}"
}
compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update
# An old list names versions that are gone: then once more with a new one.
install || { update && install; } || {
	cat "$log"
	echo "apt-get could not install them; its words stand above."
	exit 1
}
