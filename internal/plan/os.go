package plan

import "github.com/org/appstack-action/internal/machine"

// diffOS adds the steps inside the guest.
func diffOS(p *Plan, have, want *machine.OS) {}
