package membackend

// extSize is what statfs says about the size of an empty ext4 on a volume of that many
// bytes: the volume without inode tables, journal, bitmaps and descriptors, in the layout
// that mke2fs chooses by default for 512 MiB and more.
func extSize(size int64) int64 {
	const block, perGroup = 4096, 32768
	blocks := size / block
	groups := (blocks + perGroup - 1) / perGroup
	inodeTables := blocks / 4 / 16
	reserved := (blocks*1024/perGroup + 63) / 64 // descriptors for a file system 1024 times as large
	overhead := inodeTables + journal(blocks) + (reserved+1)*copies(groups) + 2*groups
	return max(blocks-overhead, 0) * block
}

// journal is the size of the journal in blocks.
func journal(blocks int64) int64 {
	switch {
	case blocks < 32768:
		return 1024
	case blocks < 256<<10:
		return 4096
	case blocks < 512<<10:
		return 8192
	case blocks < 4096<<10:
		return 16384
	}
	return 32768
}

// copies counts the groups that hold a superblock: 0, 1 and the powers of 3, 5 and 7.
func copies(groups int64) int64 {
	n := min(groups, 2)
	for _, base := range []int64{3, 5, 7} {
		for g := base; g < groups; g *= base {
			n++
		}
	}
	return n
}
