package pve

import (
	"context"
	"errors"

	"github.com/org/appstack-action/internal/machine"
)

// createVM makes a virtual machine.
func (c *Client) createVM(context.Context, *machine.Guest, string) error {
	return errors.New("cannot create a virtual machine yet")
}

// placeVM finds the template or image of a new virtual machine.
func (c *Client) placeVM(context.Context, *machine.Guest) error {
	return errors.New("cannot place a virtual machine yet")
}
