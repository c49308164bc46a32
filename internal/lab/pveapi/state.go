package pveapi

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// state is what survives a restart, tasks apart. Field names are the file's keys.
type state struct {
	Secret   []byte // signs tickets and CSRF tokens
	Users    map[string]*user
	Groups   map[string]*group
	Roles    map[string]map[string]bool            // custom roles: privileges
	ACL      map[string]map[string]map[string]bool // path → "user:…", "group:…", "token:…" → role → propagate
	Pools    map[string]*pool
	Storages map[string]*Storage
	Volumes  map[string]*volume // by node and volid
	Guests   map[int]*guest
	Firewall map[int]*firewall
	HA       map[string]map[string]string
}

type user struct {
	Enable   bool
	Expire   int64
	Comment  string
	Email    string
	First    string
	Last     string
	Password []byte // salted hash; nil: none set
	Tokens   map[string]*token
}

type token struct {
	PrivSep bool
	Expire  int64
	Comment string
	Secret  string
}

type group struct {
	Comment string
	Users   map[string]bool
}

type pool struct {
	Comment string
	VMs     map[int]bool
	Storage map[string]bool
}

// volume is a guest's disk.
type volume struct {
	ID     string // STORAGE:NAME
	Node   string
	VMID   int
	Size   int64
	Format string
	CTime  int64
	Kind   string // rootdir or images
	Parent string // volume that a linked clone is based on
	Base   bool
}

// guest is a container or a VM.
type guest struct {
	VMID      int
	Node      string
	Type      string // lxc or qemu
	Conf      *guestconf.Config
	Running   bool // what the lab wanted last; the Backend knows what is
	NewAt     int64
	CloudInit string `json:",omitempty"` // a VM's configuration when its cloud-init drive was written
	Machine   bool   `json:",omitempty"` // a VM that a Backend plays
}

func loadState(path string, o *Options) (*state, error) {
	st := &state{
		Users: map[string]*user{"root@pam": {Enable: true, Tokens: map[string]*token{}}}, Groups: map[string]*group{},
		Roles: map[string]map[string]bool{}, ACL: map[string]map[string]map[string]bool{}, Pools: map[string]*pool{},
		Storages: map[string]*Storage{}, Volumes: map[string]*volume{}, Guests: map[int]*guest{},
		Firewall: map[int]*firewall{}, HA: map[string]map[string]string{},
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st.Secret = make([]byte, 32)
		_, _ = rand.Read(st.Secret) // never fails, says its documentation
		for _, s := range o.Storages {
			st.Storages[s.ID] = &s
		}
	case err != nil:
		return nil, fmt.Errorf("cannot read the lab's state: %w", err)
	default:
		if err := json.Unmarshal(raw, st); err != nil {
			return nil, fmt.Errorf("cannot read the lab's state %s: %w", path, err)
		}
	}
	if o.RootPassword != "" {
		st.Users["root@pam"].Password = hashPassword(o.RootPassword)
	}
	return st, nil
}

// save writes the state; s.mu is held.
func (s *Server) save() error {
	raw, err := json.Marshal(s.st)
	if err != nil {
		return err
	}
	return writeFile(s.statePath(), raw)
}

// writeFile replaces a file at once: a reader sees the old one or the new one.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (s *Server) now() time.Time { return s.opt.Now() }

// sorted returns a map's keys in order.
func sorted[K int | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}
