package pve

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Error is a request that failed, in Proxmox's words.
type Error struct {
	Method  string
	Path    string            // below /api2/json
	Status  int               // HTTP status; 0: no answer came
	Message string            // what Proxmox says
	Params  map[string]string // what it says of single parameters
	// Uncertain: the request may have been carried out although it failed.
	Uncertain bool

	token string // the token's id
	pool  string // pool that the stack names
	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot %s %s: ", e.Method, e.Path)
	if e.Status != 0 && e.Status != http.StatusOK {
		fmt.Fprintf(&b, "%d ", e.Status)
	}
	b.WriteString(e.Message)
	if e.cause != nil {
		if e.Message != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.cause.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		fmt.Fprintf(&b, "; %s: %s", name, e.Params[name])
	}
	return b.String()
}

// Unwrap returns what the network said, if it was the network.
func (e *Error) Unwrap() error { return e.cause }

// Hint says what to do about the error, or "".
func (e *Error) Hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "the token " + e.token + " is unknown, expired, disabled or has another secret: `pveum user token list " +
			e.user() + "` on the node shows those that exist, and until when"
	case e.Status == http.StatusForbidden:
		return e.privilegeHint()
	case strings.Contains(e.Message, "is locked (") && strings.Contains(e.Message, "create"):
		return "a creation was interrupted on the node; as root there: pct unlock VMID, then pct destroy VMID"
	case strings.Contains(e.Message, "is locked ("):
		return "Proxmox is busy with the guest (a backup, a snapshot, …); if nothing runs, as root on the node: pct unlock VMID"
	case e.cause == nil && strings.HasPrefix(e.Message, "the answer"):
		return "is proxmox.url the API itself, such as https://pve1.lan:8006?"
	}
	return ""
}

// missing matches "Permission check failed (/vms/101, VM.Config.Options)", also
// with alternatives ("VM.Snapshot|VM.Snapshot.Rollback").
var missing = regexp.MustCompile(`Permission check failed \((/[^,\s]*), ([A-Za-z.|]+)\)`)

// Missing returns the path and the privilege that a 403 names, "" where it names
// none: Proxmox says neither where VM.Allocate is missing at a creation.
func (e *Error) Missing() (path, privilege string) {
	if e.Status != http.StatusForbidden {
		return "", ""
	}
	m := missing.FindStringSubmatch(e.Message)
	if m == nil {
		return "", ""
	}
	privilege, _, _ = strings.Cut(m[2], "|")
	return m[1], privilege
}

func (e *Error) privilegeHint() string {
	path, privilege := e.Missing()
	switch {
	case strings.Contains(e.Message, "only allowed for root@pam"):
		return "Proxmox allows this to root@pam with a password alone, to no token: take it out of the stack, or set it by hand"
	case strings.Contains(e.Message, "does not exist"):
		return "create the pool: pveum pool add NAME"
	case privilege == "" && e.Method == http.MethodPost:
		path, privilege = e.creationPath(), "VM.Allocate"
	case privilege == "":
		return ""
	}
	return grantHint(e.token, e.grantPath(path), privilege)
}

func (e *Error) creationPath() string {
	if e.pool != "" {
		return "/pool/" + e.pool
	}
	return "/vms"
}

// grantPath prefers the pool to the single guest: an ACL on a guest goes with it.
func (e *Error) grantPath(path string) string {
	if strings.HasPrefix(path, "/vms/") {
		return e.creationPath()
	}
	return path
}

// grantHint is what gives a token a privilege, for its user, too: a token with
// privilege separation has no more than its user.
func grantHint(token, path string, privileges ...string) string {
	user, _, _ := strings.Cut(token, "!")
	role := "Appstack-" + roleName(path)
	return fmt.Sprintf("the token %s lacks %s on %s; on the node, as root: pveum role add %s 2>/dev/null; "+
		"pveum role modify %s --append 1 --privs %s && pveum acl modify %s --roles %s --users %s --tokens '%s'",
		token, strings.Join(privileges, " "), path, role, role, strings.Join(privileges, ","), path, role, user, token)
}

// roleName names the role for a path as docs/proxmox.md does.
func roleName(path string) string {
	switch {
	case strings.HasPrefix(path, "/storage"):
		return "Storage"
	case strings.HasPrefix(path, "/sdn"):
		return "Net"
	case strings.HasPrefix(path, "/nodes"):
		return "Node"
	case path == "/":
		return "Cluster"
	}
	return "Guest"
}

func (e *Error) user() string {
	user, _, _ := strings.Cut(e.token, "!")
	return user
}

// TaskError is a task of Proxmox's that failed or did not end in time.
type TaskError struct {
	UPID    string
	Status  string   // exit status; empty: it still runs
	Log     []string // its last lines
	Running bool     // it goes on although nobody waits for it any more
	What    string   // "the creation of CT 101"
	cause   error
}

func (e *TaskError) Error() string {
	if e.Running {
		return fmt.Sprintf("cannot wait any longer for %s: the task %s still runs: %v", e.What, e.UPID, e.cause)
	}
	return fmt.Sprintf("cannot finish %s: %s", e.What, e.Status)
}

// Unwrap returns why a task that still runs is not waited for.
func (e *TaskError) Unwrap() error { return e.cause }

// Hint quotes the end of the task's log.
func (e *TaskError) Hint() string {
	if len(e.Log) == 0 {
		return ""
	}
	return "the task's last lines: " + strings.Join(e.Log, " | ")
}

// OwnerError says that a guest belongs to somebody else.
type OwnerError struct {
	VMID  int
	Name  string // the guest's name; may be empty
	Owner string // "project/env (owner/repository)"; empty: none of appstack's
}

func (e *OwnerError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("cannot touch guest %d (%s): it is not appstack's", e.VMID, e.Name)
	}
	return fmt.Sprintf("cannot touch guest %d (%s): it belongs to %s", e.VMID, e.Name, e.Owner)
}

// Hint names the ways out.
func (e *OwnerError) Hint() string {
	return "choose another vmid, or take the guest over with `adopt: true`"
}

// asError returns the Proxmox error inside err, or nil.
func asError(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}
