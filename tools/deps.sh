#!/usr/bin/env bash
# deps.sh GROUP...: install what is missing of the groups in packages.txt.
# Says what and why first, and asks where a person is at the terminal.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

missing=()
reasons=()
while read -r group package reason; do
	case $group in '#'* | '') continue ;; esac
	case " $* " in *" $group "*) ;; *) continue ;; esac
	if [ "$package" != "${package%%:*}" ]; then
		command -v "${package##*:}" >/dev/null && continue
		package=${package%%:*}
	fi
	case " ${missing[*]:-} " in *" $package "*) continue ;; esac
	if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
		grep -q 'ok installed'; then
		missing+=("$package")
		reasons+=("$(printf '  %-20s %s' "$package" "$reason")")
	fi
done <"$here/packages.txt"
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Missing Debian packages:"
printf '%s\n' "${reasons[@]}"
sudo=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "Install them as root, then come back:"
		echo "  apt-get install ${missing[*]}"
		exit 1
	fi
	sudo=(sudo)
fi
if [ -t 0 ] && [ -t 1 ]; then
	read -r -p "Install them now with apt-get? [Y/n] " answer
	case $answer in [nN]*) exit 1 ;; esac
fi

# Packages of servers start them when they are installed; what this script
# brings is for the tests and the demo, which start their own.
policy=/usr/sbin/policy-rc.d
added=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
	"${sudo[@]}" chmod 755 $policy
	added=yes
fi
restore() { [ -z "$added" ] || "${sudo[@]}" rm -f $policy; }
trap restore EXIT

install() {
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends "$@" </dev/null
}
# An old list names versions that are gone: fetch a new one, then try again.
"${sudo[@]}" apt-get update -qq </dev/null
install "${missing[@]}" >/dev/null
echo "Installed: ${missing[*]}"
