package template

import (
	"context"
	"strings"
)

// bootstrapScript fills the directory $0. dpkg waits for the disk after each package: it
// works in memory where there is enough, and its result is copied. mmdebstrap takes half
// of debootstrap's time, and its packages come with their security updates. With /usr
// merged from the start, the package that merges it and its perl are not needed.
const bootstrapScript = `root=$0 suite=$1 include=$2
shift 2
temp=$root/.memory
mkdir "$temp"
free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
[ "${free:-0}" -lt 4000000 ] || mount -t tmpfs -o mode=755,size=2g lab-template "$temp"
mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io --include="usr-is-merged,$include" \
	--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$temp/root" "$@"
rm "$temp/root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
cp --archive "$temp/root/." "$root"
! mountpoint --quiet "$temp" || umount "$temp"
rm --recursive --one-file-system "$temp"`

// bootstrap fills root with a minimal Debian and the packages, whose names have commas
// between them.
func bootstrap(ctx context.Context, root, codename, packages string, sources AptSources, progress func(string)) error {
	args := []string{"-euc", bootstrapScript, root, codename, packages}
	for line := range strings.Lines(sources.List) {
		args = append(args, strings.TrimSpace(line))
	}
	return stream(contained(ctx, "sh", args...), progress)
}
