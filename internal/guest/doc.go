// Package guest is the inside of one machine, over SSH: it observes the operating
// system in one round trip, and takes a plan's steps in one more.
//
//	conn, err := guest.Dial(ctx, options)
//	have, err := conn.Observe(ctx, want)      // one exec, reads only
//	err = conn.Apply(ctx, steps, have, want, progress)
//
// The machine needs nothing but sh, coreutils, awk and dpkg. What runs there comes on
// the standard input of one sh (as another user than root: of sudo -n sh): observe.sh
// reports facts; apply.sh takes steps, each a call of a function in steps.sh;
// upload.sh receives an archive. They leave nothing behind but the record in
// /var/lib/appstack: which files we created (files), which databases (databases),
// which units still run with older files (stale), and what the lock-out guard would
// undo (guard/).
//
// # The way a step goes
//
// A step is a line of shell for apply.sh's functions, and its data: a file's content,
// a password. Both are sent ahead of their turn, so that steps don't wait for round trips;
// data waits in a file that only root reads. Commands print into one bounded
// stream; begin and end of a step are told in another, which commands cannot
// reach, under a name that they cannot know.
//
// When the connection breaks off, a step that runs may finish; no other begins. The
// network may also be cut without the machine being told: it asks for a sign of life
// before it begins a step for which it had none in the last two seconds.
//
// # The lock-out guard
//
// Steps that change how the machine is reached (sshd, sudo, the firewall, keys) run
// with a timer armed on the machine, which puts back what they touched; a unit does so
// at boot, should the machine restart meanwhile. Both are disarmed by a new connection
// made like the first, and by that alone.
package guest
