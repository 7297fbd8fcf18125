#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Install the Debian packages that a purpose needs and that are not there yet.
#   tools/install_deps.sh --for demo|docs|test|bench
# Does nothing, fast, when all are there. Needs root or sudo otherwise.
set -euo pipefail

demo=(gcc libc6-dev meson ninja-build python3 pkg-config liburing-dev libpng-dev)
# What makes the pages of doc/guide.
docs=("${demo[@]}" mkdocs mandoc)
# clang's sanitizer runtimes are a package of their own; cmake and g++ are for the install and
# header tests; gdb prints the stacks of a test that hangs, libdw those of parked tasks; mandoc
# judges the manual pages, too; libcurl is what an example adopts, node-llhttp has the sources of the
# parser that another is built with, and a third has a GTK window, shown by Xvfb, clicked by xdotool;
# chromium opens the pages that the command writes.
test=("${docs[@]}" clang libclang-rt-14-dev clang-format g++ libcmocka-dev libdw-dev valgrind gdb
      cmake gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
      curl
      libgtk-3-dev xvfb xdotool
      libc-ares-dev
      libssl-dev openssl
      libncurses-dev
      libnats-dev nats-server
      systemtap-sdt-dev
      libcurl4-openssl-dev
      chromium
      node-llhttp)
# The peers that Debian packages, and callgrind, which counts instructions. A cargo that is there
# already, from wherever, builds the Rust peers as well as Debian's.
bench=("${demo[@]}" g++ libboost-fiber-dev golang-go libtbb-dev clang libomp-dev librust-tokio-dev
       librust-rayon-dev librust-crossbeam-channel-dev valgrind wrk nginx-light h2o node-llhttp
       libnats-dev nats-server systemtap-sdt-dev)
command -v cargo >/dev/null || bench+=(cargo)

usage() {
    echo "usage: tools/install_deps.sh --for demo|docs|test|bench" >&2
    exit 2
}

[ $# -eq 2 ] && [ "$1" = --for ] || usage
case $2 in
demo) wanted=("${demo[@]}") ;;
docs) wanted=("${docs[@]}") ;;
test) wanted=("${test[@]}") ;;
bench) wanted=("${bench[@]}") ;;
*) usage ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system; see to these yourself: ${wanted[*]}" >&2
    exit 0
fi

# dpkg-query fails for a name it never heard of, and still prints the others.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo) # where nobody can type a password, only if none is asked for
else
    echo "missing packages: ${missing[*]}" >&2
    echo "run this as root, or have it done: apt-get install ${missing[*]}" >&2
    exit 1
fi

echo "installing ${missing[*]}" >&2
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" </dev/null >"$log" 2>&1; }
install() { quietly "${apt[@]}" install -y --no-install-recommends "$@"; }

quietly "${apt[@]}" update && install "${missing[@]}" && exit 0
cat "$log" >&2
if [ "$2" != bench ]; then
    echo "apt-get could not install: ${missing[*]}" >&2
    exit 1
fi

# A peer that cannot be had costs its own row only: all others are still worth having.
left_out=()
for package in "${missing[@]}"; do
    install "$package" || left_out+=("$package")
done
[ ${#left_out[@]} -eq 0 ] && exit 0
echo "apt-get could not install, and so left out: ${left_out[*]}" >&2
exit 1
