package plan

import "github.com/org/appstack-action/internal/machine"

// diffGuest adds the steps on the hypervisor.
func diffGuest(p *Plan, have, want *machine.Guest, policy Policy) {}
