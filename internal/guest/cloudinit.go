package guest

import (
	"context"
	"fmt"
	"io"
	"time"
)

// settled waits for cloud-init where it has begun with this boot and not ended: until
// then it replaces host keys, and holds the package manager's lock. Its own errors are
// no reason to wait longer.
const settled = "if [ -e /run/cloud-init/enabled ] && ! [ -e /run/cloud-init/result.json ]; then cloud-init status --wait >/dev/null 2>&1; fi; true"

// Settled returns when cloud-init is through with the machine's boot, after limit at the
// latest with an error. A machine without cloud-init is settled.
func (c *Conn) Settled(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		&SlowError{fmt.Sprintf("cloud-init has not ended for %s", limit), "`cloud-init status --long` in the guest tells where it is"})
	defer cancel()
	p, err := c.current().Start(ctx, settled)
	if err == nil {
		p.Stdin.Close()
		_, _ = io.Copy(io.Discard, p.Stdout)
		_, err = p.Wait()
		p.Close()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cannot work in the guest yet: %w", context.Cause(ctx))
	}
	return err
}
