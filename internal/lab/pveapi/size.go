package pveapi

import (
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

const (
	mib = 1 << 20
	gib = 1 << 30
)

var sizeRE = regexp.MustCompile(`^(\d+(?:\.\d+)?)([KMGT])?(?:iB)?$`)

// parseSize reads 8G, 0.5T, 512M or plain bytes.
func parseSize(s string) (int64, bool) {
	m := sizeRE.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	for i := 0; m[2] != "" && i <= strings.Index("KMGT", m[2]); i++ {
		f *= 1024
	}
	return int64(f), err == nil
}

// formatSize writes a size as Proxmox's configurations have it: the largest unit that
// leaves no rest.
func formatSize(n int64) string {
	for _, u := range []string{"", "K", "M", "G", "T"} {
		if n%1024 != 0 || u == "T" || n == 0 {
			return strconv.FormatInt(n, 10) + u
		}
		n /= 1024
	}
	return ""
}

// humanSize is 57MiB, as tar's --totals prints it.
func humanSize(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	i := (bits.Len64(uint64(n)) - 1) / 10
	f := float64(n) / math.Pow(1024, float64(i))
	if f < 10 {
		return fmt.Sprintf("%.1f%ciB", f, "KMGTP"[i-1])
	}
	return fmt.Sprintf("%.0f%ciB", f, "KMGTP"[i-1])
}

// mkfsLog is what mke2fs prints for a file system of this size.
func mkfsLog(size int64) []string {
	unit, perGroup := int64(4096), int64(32768)
	if size < 512*mib {
		unit, perGroup = 1024, 8192
	}
	blocks := size / unit
	groups := (blocks + perGroup - 1) / perGroup
	inodes := blocks / 4
	if groups > 0 {
		inodes = groups * (inodes / groups / 8 * 8)
	}
	label := map[int64]string{4096: "4k", 1024: "1k"}[unit]
	lines := []string{
		fmt.Sprintf("Creating filesystem with %d %s blocks and %d inodes", blocks, label, inodes),
		"Filesystem UUID: " + newUUID(),
		"Superblock backups stored on blocks: ",
	}
	return append(lines, backupBlocks(blocks, perGroup)...)
}

// backupBlocks lists where an ext4 keeps copies of its superblock, wrapped as mke2fs does.
func backupBlocks(blocks, perGroup int64) []string {
	var lines []string
	left := 0
	for _, g := range backupGroups(blocks / perGroup) {
		n := g * perGroup
		if perGroup == 8192 {
			n++
		}
		if n >= blocks {
			break
		}
		text := strconv.FormatInt(n, 10)
		if len(lines) > 0 {
			lines[len(lines)-1] += ", "
		}
		if need := len(text) + 2; need > left {
			lines = append(lines, "\t")
			left = 72
		}
		left -= len(text) + 2
		lines[len(lines)-1] += text
	}
	return lines
}

// backupGroups are 1 and the powers of 3, 5 and 7 in order, up to a limit.
func backupGroups(limit int64) []int64 {
	set := map[int]bool{1: true}
	for _, base := range []int64{3, 5, 7} {
		for g := base; g <= limit; g *= base {
			set[int(g)] = true
		}
	}
	var out []int64
	for _, g := range sorted(set) {
		out = append(out, int64(g))
	}
	return out
}
