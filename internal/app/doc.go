// Package app is the procedure: what one run of appstack does, from the event to
// the report. It is the architecture page of the program.
//
// # The way the data flows
//
//	event + inputs ─┐
//	appstack.yaml ──┼─► resolve ─► desired machine.State ─┐
//	age secrets ────┘                                     ├─► plan ─► apply ─► report
//	Proxmox API, guest over SSH ─► observed machine.State ┘
//
// [Run.Do] is this, one call a line: read the stack file, select what the event
// asks for, open the secrets, resolve what is wanted, find the way there, and then for
// each environment, some at a time: observe, plan, guard, apply, report. A plan is
// the same path with the writes off.
//
// There is no state file, no server, and nothing left running on the guest: Proxmox
// and the guest are the state. A run that dies is mended by the next, which sees what
// is there and plans the rest.
//
// # Rooms
//
//	cmd/appstack/      the program
//	cmd/pvelab/        a Proxmox VE and a GitHub to try it against
//	internal/cli/      the commands: flags, help, what a person sees
//	internal/app/      this procedure
//	internal/action/   the runner's side: inputs, log, annotations, outputs, summary
//	internal/event/    what happened on GitHub
//	internal/stack/    the stack file: types, merging, checks, schema
//	internal/vault/    age files: open, edit, rekey
//	internal/secret/   a value that prints as ***, and the redactor
//	internal/diag/     what is wrong with a file that a person wrote, and where
//	internal/machine/  the vocabulary: one State for desired and observed, plain data
//	internal/resolve/  stack, event and secrets become targets; the only place that knows
//	                   the stack file's conveniences
//	internal/plan/     Diff(have, want): steps with their causes and effects
//	internal/apply/    walks a plan
//	internal/pve/      Proxmox VE in a few verbs, over go-proxmox
//	internal/guest/    the inside of a guest in two: observe in one exec, apply in one more
//	internal/ssh/      connections with a pinned host key, also through a jump host
//	internal/git/      which commit a branch of another repository is
//	internal/github/   one comment, deployments, files at a commit
//	internal/report/   what became of it, as a comment, a summary and JSON
//	internal/lab/      what cmd/pvelab serves, and the tests use
//	templates/         what is written onto guests and pull requests
//
// Arrows of import run one way, which a test holds:
//
//	cmd → cli → app → {action, report, github, git, apply, pve, guest, resolve, stack, vault}
//	                → {plan, machine, diag, event, ssh, templates} → secret
//
// # What is decided where
//
// What a key of the stack file means: stack and resolve. What has to change, in which
// order, what it interrupts and whether it may be: plan. What is looked for before the
// first change: pve's guards. How a release is built, switched to and taken back:
// templates/deploy, which a person can run on the guest as well. What a failure is
// called and what its reader should do: the error's own Hint, and Reason here.
package app
