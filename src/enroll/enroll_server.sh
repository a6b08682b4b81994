# shellcheck shell=sh
# Runs at the server, in the account that was logged in to, by any POSIX sh.
# Puts one line into authorized_keys, or takes the lines of one key out.
#
# On stdin, a line each: add | remove | lend; the key's base64; the line to add;
# the folder to lend. What is to be told goes to stdout: "kaya-enroll: WORD ...".
#
# The file is replaced by rename, under a lock, after its new content was
# compared with what was meant: whatever ends this, it is the old or the new.

set -f
umask 077
LC_ALL=C
export LC_ALL

say() {
	printf 'kaya-enroll: %s\n' "$*"
}

die() {
	say "failed $*"
	exit 1
}

# ---- whom the file may be trusted to, as sshd's StrictModes has it ----

# $1 may be written by root and this account alone.
check_trust() {
	listed=$(ls -ldnL "$1" 2>/dev/null) || die cannot-read "$1"
	# shellcheck disable=SC2086
	set -- "$1" $listed
	case $2 in
	?????w*|????????w*) die others-write "$1" ;;
	esac
	case $4 in
	0|"$uid") ;;
	*) die other-owner "$1" ;;
	esac
}

# The folder $1 and those above it, up to the home folder or the root.
check_way() {
	at=$1
	while :; do
		check_trust "$at"
		case $at in
		"$home"|/) return ;;
		esac
		at=${at%/*}
		at=${at:-/}
	done
}

# Why $1 is no folder to go into.
no_way() {
	[ ! -d "$1" ] || die no-entry "$1"
	[ ! -e "$1" ] || die not-folder "$1"
	die no-folder "$1"
}

# The folder $2 can be written to; where it is the account that may not, $1.
check_room() {
	[ ! -w "$2" ] || return 0
	listed=$(ls -ldn "$2" 2>/dev/null) || die "$1" "$2"
	# shellcheck disable=SC2086
	set -- "$1" "$2" $listed
	case $uid/$3/$5 in
	0/*|*/??w*/"$uid") die disk "$2" ;;
	*) die "$1" "$2" ;;
	esac
}

# Through symbolic links to the file itself: $folder and $file.
find_file() {
	path=$1
	hops=0
	while :; do
		folder=$(CDPATH='' cd -P -- "${path%/*}/" 2>/dev/null && pwd -P) ||
			no_way "${path%/*}"
		file=${folder%/}/${path##*/}
		check_way "$folder"
		[ -h "$file" ] || break
		hops=$((hops + 1))
		[ "$hops" -le 40 ] || die loop "$1"
		link=$(readlink "$file") || die cannot-read "$file"
		case $link in
		/*) path=$link ;;
		*) path=$folder/$link ;;
		esac
	done
	if [ -e "$file" ]; then
		[ -f "$file" ] || die no-file "$file"
		[ -r "$file" ] || die cannot-read "$file"
		check_trust "$file"
	fi
}

# ---- one at a time ----

pause() {
	sleep 0.1 2>/dev/null || sleep 1
}

# flock(2) on the folder, as `kaya keys` has it.
lock_by_flock() {
	command -v flock >/dev/null 2>&1 || return 1
	# An exec that fails would end the shell.
	[ -r "$folder" ] || return 1
	exec 9<"$folder" || return 1
	flock -n 9 2>/dev/null && return 0
	[ $? -eq 1 ] || return 1
	flock -w 30 9 2>/dev/null && return 0
	tries=0
	until flock -n 9 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -le 50 ] || die busy "$folder"
		pause
	done
}

# A symbolic link is made at once, with who made it; one whose maker is dead
# is taken away, by one at a time.
lock_by_link() {
	link=$file.kaya-lock~
	tries=0
	until ln -s "pid-$$" "$link" 2>/dev/null; do
		held=$(readlink "$link" 2>/dev/null)
		if [ -n "$held" ] && ! kill -0 "${held#pid-}" 2>/dev/null &&
			ln -s "pid-$$" "$link.old" 2>/dev/null; then
			[ "$(readlink "$link")" != "$held" ] || rm -f "$link"
			rm -f "$link.old"
			continue
		fi
		tries=$((tries + 1))
		[ "$tries" -le 300 ] || die busy "$link"
		pause
	done
	locked=$link
}

# ---- a folder for as long as stdin stands ----

# Who still comes for $1/in finds nothing, even while it is taken away. All of
# that happens in a folder of the account's own: in /tmp others make names, too.
clear_away() {
	mv "$1/in" "$1/out" 2>/dev/null
	rm -rf "$1"
}

lend() {
	mkdir -m 700 "$1" 2>/dev/null || die no-room "${1%/*}"
	trap 'clear_away "$extra"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$1/in" 2>/dev/null || die no-room "$1"
	say ready
	IFS= read -r word || exit 1
	clear_away "$1"
	trap - EXIT
	say "$word"
	exit 0
}

leave() {
	[ -z "$fresh" ] || rm -f "$fresh" "$old"
	[ -z "$locked" ] || rm -f "$locked"
}

# ---- the change ----

# Lines that have the key and are no comments.
pick_ours() {
	sed -n -e '/^[[:blank:]]*#/b' -e "\\,$blob,p" "$1"
}

keep_others() {
	sed -e '/^[[:blank:]]*#/b' -e "\\,$blob,d" "$1"
}

# The whole new file, from the old one.
compose() {
	keep_others "$1" || return 1
	if [ "$act" = add ]; then
		[ -z "$(keep_others "$1" | tail -c 1)" ] || printf '\n' ||
			return 1
		printf '%s\n' "$line"
	fi
}

# What is kept and what is not are all there was; a sed may end the last line.
check_sum() {
	all=$(wc -c <"$1") && kept=$(keep_others "$1" | wc -c) &&
		ours=$(pick_ours "$1" | wc -c) || return 1
	[ $((kept + ours)) -eq $((all)) ] || [ $((kept + ours - 1)) -eq $((all)) ]
}

# Mode, owner and group, and whether there is more (ACL).
nature() {
	listed=$(ls -ldn "$1") || return 1
	# shellcheck disable=SC2086
	set -- $listed
	printf '%s %s %s\n' "$1" "$3" "$4"
}

put_on_disk() {
	sync "$1" 2>/dev/null || sync
}

replace() {
	check_room no-write "$folder"
	if [ -e "$file" ]; then
		cp -p "$file" "$old" || die disk "$folder"
		cp -p "$file" "$fresh" || die disk "$folder"
		[ "$(nature "$file")" = "$(nature "$fresh")" ] ||
			die not-ours "$file"
	else
		# Not by ":", with which a failure would end the shell.
		printf '' >"$old" || die disk "$folder"
	fi
	check_sum "$old" || die disk "$folder"
	compose "$old" >"$fresh" || die disk "$folder"
	compose "$old" | cmp -s - "$fresh" || die disk "$folder"
	put_on_disk "$fresh"
	if [ -e "$file" ]; then
		cmp -s "$file" "$old" || die changed "$file"
	fi
	mv -f "$fresh" "$file" || die disk "$folder"
	put_on_disk "$folder"
}

change() {
	old=$file.kaya-old~
	fresh=$file.kaya~
	# What was left behind is in nobody's use: we hold the lock.
	rm -f "$old" "$fresh" || die disk "$folder"
	if [ -e "$file" ]; then
		count=$(pick_ours "$file" | grep -c '')
		if [ "$act" = add ] && [ "$count" -eq 1 ] &&
			grep -F -x -q -e "$line" "$file"; then
			say already
			return 0
		fi
	fi
	if [ "$act" = add ] || [ "$count" -gt 0 ]; then
		replace
	fi
}

# ---- who is still in ----

list_sessions() {
	command -v ps >/dev/null 2>&1 || say blind
	user=$(id -un)
	# Our own: sh was started by it, or by a shell that it started.
	own=" $PPID $(ps -o ppid= -p "$PPID" 2>/dev/null) "
	{ ps -e -o pid= -o args= || ps -o pid,args; } 2>/dev/null |
		while read -r pid args; do
			case $args in
			*"[priv]"*) continue ;;
			"sshd: $user"|"sshd: $user@"*) ;;
			"sshd-session: $user"|"sshd-session: $user@"*) ;;
			*) continue ;;
			esac
			case $own in
			*" $pid "*) continue ;;
			esac
			say session "$pid" "$args"
		done
}

# ----

fresh=
old=
locked=
count=0
say hello
IFS= read -r act || die cut-off
IFS= read -r blob || die cut-off
IFS= read -r line || die cut-off
IFS= read -r extra || die cut-off
[ "$act" != lend ] || lend "$extra"
case $blob in
''|*[!A-Za-z0-9+/=]*) die cut-off ;;
esac
uid=$(id -u)
home=$(CDPATH='' cd -P -- "${HOME:?}/" 2>/dev/null && pwd -P) ||
	die no-folder "$HOME"
trap leave EXIT
trap 'exit 1' HUP INT TERM
if [ "$act" = add ] && [ ! -d "$HOME/.ssh" ]; then
	if [ -e "$HOME/.ssh" ] || [ -h "$HOME/.ssh" ]; then
		no_way "$HOME/.ssh"
	fi
	check_room no-home "$home"
	mkdir -m 700 "$HOME/.ssh" 2>/dev/null || [ -d "$HOME/.ssh" ] ||
		die disk "$home"
fi
find_file "$HOME/.ssh/authorized_keys"
[ -d "$folder" ] || die no-folder "$folder"
lock_by_flock || lock_by_link
change
say file "$file"
say removed "$count"
[ "$act" = add ] || list_sessions
say ready
