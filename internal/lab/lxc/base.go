package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// base is the image that a template's archive was unpacked into, made when first
// asked for. An archive that changed under its name is another template.
func (s *store) base(ctx context.Context, archive string) (string, error) {
	info, err := os.Stat(archive)
	if err != nil {
		return "", err
	}
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	name := fmt.Sprintf("%s-%d-%d", filepath.Base(archive), info.Size(), info.ModTime().UnixNano())
	image := filepath.Join(s.dir, "base", name)
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	if err := s.unpack(ctx, archive, image+".part"); err != nil {
		return "", fmt.Errorf("cannot unpack %s: %w", archive, err)
	}
	return image, os.Rename(image+".part", image)
}

func (s *store) unpack(ctx context.Context, archive, image string) error {
	root := image + ".root"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if _, err := command(ctx, "tar", "--extract", "--auto-compress", "--numeric-owner", "--xattrs",
		"--acls", "--file="+archive, "--directory="+root); err != nil {
		return err
	}
	out, err := command(ctx, "du", "-s", "--bytes", root)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(strings.Fields(out)[0], 10, 64)
	if err != nil {
		return err
	}
	return mkfs(ctx, image, root, size*3/2+(64<<20))
}

// mkfs makes an ext4 image of what root holds. The checksum seed lets each copy
// have a UUID of its own without rewriting its metadata.
func mkfs(ctx context.Context, image, root string, size int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	args := []string{"-q", "-F", "-m", "0", "-O", "metadata_csum_seed", "-E", "lazy_itable_init=1,lazy_journal_init=1"}
	if root != "" {
		args = append(args, "-d", root)
	}
	_, err = command(ctx, "mkfs.ext4", append(args, image)...)
	return err
}
