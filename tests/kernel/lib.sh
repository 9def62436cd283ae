# What `run` and `pid1` share: names, builds, a Debian kernel, a machine to boot it.
# Sourced with the architecture as `$1`; leaves it in `arch`.
# shellcheck shell=bash

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

arch=${1-}
case $arch in
aarch64)
    debian=arm64 serial=ttyAMA0 emulator=(qemu-system-arm)
    # A core of 2015, without the atomic instructions that came later.
    machine=(qemu-system-aarch64 -machine virt -cpu cortex-a57)
    ;;
x86_64)
    debian=amd64 serial=ttyS0 emulator=(qemu-system-x86 seabios)
    machine=(qemu-system-x86_64 -machine pc)
    ;;
*) fail "usage: ${0##*/} aarch64|x86_64 …" ;;
esac
# No device but the serial port. Emulated even where the processor could do it
# itself: /dev/kvm may exist and still not work.
machine+=(-accel tcg -smp 2 -m 1024 -nodefaults -no-reboot -display none -serial stdio)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$arch-unknown-linux-gnu
# Between runs, so that the next one builds and downloads what is new alone.
cache=${CARGO_TARGET_DIR:-$root/target}/kernel/$arch
export CARGO_TARGET_DIR=$cache/build
# Flags meant for other builds.
unset RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_ENCODED_RUSTDOCFLAGS

host=$(uname -m)
if [[ $arch != "$host" ]]; then
    # Debian's compiler: it has the other architecture's std as a package.
    PATH=/usr/bin:$PATH
    linker=CARGO_TARGET_${target^^}_LINKER
    export "${linker//-/_}=$arch-linux-gnu-gcc"
fi

# Nothing here waits for ever.
cargo() {
    timeout 1200 cargo "$@"
}
apt-get() {
    timeout 300 apt-get "$@"
}

work=$(mktemp -d)
emulated=
clean_up() {
    # Who ends a group of processes may do so twice.
    trap '' INT TERM HUP
    if [[ $emulated ]]; then
        kill "$emulated" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

# check_tools: if anything is missing, names the commands that install it.
check_tools() {
    local packages=() std
    command -v cpio >/dev/null || packages+=(cpio)
    command -v "${machine[0]}" >/dev/null || packages+=("${emulator[@]}")
    if [[ $arch != "$host" ]]; then
        command -v "$arch-linux-gnu-gcc" >/dev/null ||
            packages+=("gcc-${arch/_/-}-linux-gnu" "libc6-dev-$debian-cross")
        std=$(rustc --print target-libdir --target "$target" 2>/dev/null) || std=
        [[ -x /usr/bin/cargo && -d $std ]] ||
            packages+=(cargo-web rustc-web "libstd-rust-web-dev:$debian")
    fi
    if ((${#packages[@]})); then
        [[ $arch == "$host" ]] || echo "dpkg --add-architecture $debian && apt-get update" >&2
        echo "apt-get install -y --no-install-recommends ${packages[*]}" >&2
        fail 'not everything is there; this installs it'
    fi
}

# fetch_kernel: sets `kernel` to the newest cloud kernel of the series that apt knows,
# taken out of its package; the package is not installed.
fetch_kernel() {
    local series=6.12 name package
    name=$(apt-cache search --names-only "^linux-image-$series.*-cloud-$debian-unsigned\$" |
        cut -d' ' -f1 | sort -V | tail -n 1)
    [[ $name ]] || fail "apt knows no $debian cloud kernel of the series $series;" \
        "perhaps for want of: dpkg --add-architecture $debian && apt-get update"
    kernel=$cache/linux/${name#linux-image-}
    if [[ ! -e $kernel ]]; then
        # As the user who calls: apt's own may not write to the folder.
        (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "${name%:*}:$debian")
        package=("$work/$name"_*.deb)
        dpkg-deb --fsys-tarfile "${package[0]}" |
            tar --extract --directory "$work" --wildcards './boot/vmlinuz-*'
        mkdir -p "$cache/linux"
        # Whole or not at all, also where two runs do the same.
        mv "$work"/boot/vmlinuz-* "$kernel"
        rm "${package[0]}"
    fi
}

# pack FOLDER: prints it as an initial file system. Not compressed: the emulated
# processor would take longer to unpack it than the emulator to load it.
pack() {
    (cd "$1" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet)
}

# now: sets `now` to the time in milliseconds.
now() {
    now=$((${EPOCHREALTIME//[!0-9]/} / 1000))
}

# seconds MILLISECONDS: prints them as seconds.
seconds() {
    printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# boot INITRD SECONDS [PARAMETER…]: prints the console, and leaves it in the file
# `$work/console`, until the machine is off. Sets `booted` to the milliseconds until the
# first line that is not the kernel's own, `took` to those until the end, and `fault` to
# what was wrong with that end, if anything was.
boot() {
    local line started now console log status=0
    booted=
    now && started=$now
    exec {console}< <(
        exec timeout --foreground --kill-after=5 "$2" "${machine[@]}" \
            -kernel "$kernel" -initrd "$1" \
            -append "console=$serial quiet panic=-1 rdinit=/init ${*:3}" </dev/null 2>&1
    )
    emulated=$!
    exec {log}>"$work/console"
    while IFS= read -r -u "$console" line || [[ $line ]]; do
        line=${line//$'\r'/}
        if [[ ! $booted && $line && $line != '['* ]]; then
            now && booted=$((now - started))
        fi
        printf '%s\n' "$line"
        printf '%s\n' "$line" >&"$log"
    done
    exec {console}<&- {log}>&-
    wait "$emulated" || status=$?
    emulated=
    now && took=$((now - started))
    fault=
    if ((status == 124)); then
        fault="the machine still ran after $2 s"
    elif ((status)); then
        fault="the emulator ended with $status"
    elif ! grep -q 'reboot: Power down$' "$work/console"; then
        # A panic ends the emulator too: it would restart the machine.
        fault='the machine did not switch itself off'
    fi
}
