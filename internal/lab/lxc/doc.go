// Package lxc makes a lab's containers real: Debian's LXC runs them, each with a
// disk of its own, its cgroup limits and its place on the lab's bridge. [Backend]
// implements the pveapi package's Backend.
//
// # Disks
//
// A container's root file system is an ext4 image in DIR/store, an XFS file system
// inside a sparse file, where a copy of an image shares its blocks until one of the
// two is written. A template is unpacked once into a base image; creating, cloning
// and snapshotting are copies of images, so they take milliseconds, df shows the
// size that was asked for, and a rollback restores every byte. Where mkfs.xfs is
// missing, the images are copied for real: slower, nothing else.
//
// # Privileges
//
// An unprivileged container's ids are shifted by the kernel (an idmapped mount), so
// one image serves privileged and unprivileged containers alike. Inside, the
// container has a cgroup v2 of its own without controllers; its limits are set from
// outside, on the cgroup around it.
//
// # Leftovers
//
// LXC's monitor processes outlive this program: containers keep running when a lab
// is closed and are found again by [Open]. All that belongs to a lab carries its
// directory or its name, which is how [Clean] finds it after a crash.
package lxc
