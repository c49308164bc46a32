package lxc

import "github.com/org/appstack-action/internal/lab/pveapi"

// A Backend is one of the Proxmox API's, in its words.
type (
	Spec      = pveapi.Spec
	Usage     = pveapi.Usage
	Interface = pveapi.Interface
)

var _ pveapi.Backend = (*Backend)(nil)
