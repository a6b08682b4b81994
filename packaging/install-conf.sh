#!/bin/sh
# install-conf.sh FOLDER: a first kayad.conf, with every word commented out; one
# that is there is its owner's and stays.  Run by `meson install`.
set -eu
folder=${DESTDIR:-}$1
[ ! -e "$folder/kayad.conf" ] || exit 0
mkdir -p "$folder"
install -m 644 "$MESON_SOURCE_ROOT/packaging/kayad.conf.sample" \
	"$folder/kayad.conf"
echo "Installing kayad.conf to $folder"
