package pve

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
)

// start starts the guest. One that runs is no error.
func (c *Client) start(ctx context.Context, g *machine.Guest) error {
	return c.power(ctx, g, "start", nil)
}

// restart shuts the guest down and starts it again, once. Proxmox itself starts it
// after the shutdown, so that a run which dies leaves no stopped guest behind.
func (c *Client) restart(ctx context.Context, g *machine.Guest) error {
	now, _, err := c.readOnce(ctx, g)
	if err != nil {
		return err
	}
	if now.Lock != "" {
		// A reboot of a locked container shuts it down and then fails to start it.
		return &Error{Method: http.MethodPost, Path: guestPath(g) + "/status/reboot", token: c.tokenID,
			Message: fmt.Sprintf("not sent, since the guest is locked (%s)", now.Lock)}
	}
	err = c.power(ctx, g, "reboot", params{"timeout": strconv.Itoa(int(c.times.shutdown / time.Second))})
	if err != nil || g.Kind != machine.KVM {
		return err
	}
	return c.up(ctx, g)
}

// up returns when a virtual machine runs that was rebooted: the task ends with the old
// QEMU, and a daemon of the node starts the new one (qemu-server, vm_reboot and qmeventd).
// One that does not come up is started.
func (c *Client) up(ctx context.Context, g *machine.Guest) error {
	for begun := time.Now(); ; {
		now, _, err := c.readOnce(ctx, g)
		switch {
		case err != nil || now.Running:
			return err
		case time.Since(begun) > c.times.restart:
			return c.start(ctx, g)
		}
		if err := sleep(ctx, 5*c.times.backoff); err != nil {
			return err
		}
	}
}

// stop ends the guest at once. One that does not run is no error.
func (c *Client) stop(ctx context.Context, g *machine.Guest) error {
	return c.power(ctx, g, "stop", nil)
}

// power changes the guest's state.
func (c *Client) power(ctx context.Context, g *machine.Guest, verb string, p params) error {
	if err := c.fencedNow(ctx, g); err != nil {
		return err
	}
	_, err := c.run(ctx, job{what: "the " + verb + " of " + describe(g), guest: g, limit: c.times.task + c.times.shutdown,
		// With HA the request goes to the HA manager, whose task has another name.
		kinds:  []string{taskKind(g, verb), "ha" + verb},
		method: http.MethodPost, path: guestPath(g) + "/status/" + verb, params: p})
	if err == nil || verb == "reboot" {
		return err
	}
	up, down := strings.Contains(err.Error(), "already running"), strings.Contains(err.Error(), "not running")
	if verb == "start" && up || verb == "stop" && down {
		return nil
	}
	return err
}
