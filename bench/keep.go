package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/org/appstack-action/internal/lab"
)

// kept is what a later run has to know to go on with the guests of this one.
type kept struct {
	Place           byte
	Stack           string // directory
	Pub, DeployKey  string
	KnownHost       string
	Identity        string
	Secrets, Guests map[string]string
	Envs            []keptEnv
	Greeting        string
	Served          map[int]string
}

type keptEnv struct {
	Project, Name, Addr, Vars string
	VMID                      int
}

// keptTrio goes on with the guests that an earlier run left in the directory, or makes
// them and leaves them there: for those who measure often while they optimise. pvelab
// clean takes them away.
func (b *bench) keptTrio(ctx context.Context) (*trio, error) {
	file := filepath.Join(b.keep, "kept.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		b.shared, err = b.makeKept(ctx)
	} else if err == nil {
		b.shared, err = b.reopen(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	t := b.shared
	b.later(func() error { return errors.Join(t.save(file), t.lab.Close()) })
	return t, nil
}

func (b *bench) makeKept(ctx context.Context) (*trio, error) {
	if err := os.MkdirAll(b.keep, 0o700); err != nil {
		return nil, err
	}
	temp := b.work
	b.work = b.keep // what the guests' keys are kept in
	t, err := b.newTrio(ctx)
	b.work = temp
	return t, err
}

func (b *bench) reopen(ctx context.Context, text []byte) (*trio, error) {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, err
	}
	r := b.emptyRig()
	r.place, r.dir, r.key, r.pub, r.deployKey, r.knownHost = k.Place, k.Stack, filepath.Join(k.Stack, "id"), k.Pub, k.DeployKey, k.KnownHost
	r.secrets, r.guests, r.greeting = k.Secrets, k.Guests, k.Greeting
	for _, e := range k.Envs {
		var one env
		if err := one.addr.UnmarshalText([]byte(e.Addr)); err != nil {
			return nil, err
		}
		one.project, one.name, one.vars, one.vmid = e.Project, e.Name, e.Vars, e.VMID
		r.envs = append(r.envs, one)
	}
	var err error
	if r.identity, err = age.ParseX25519Identity(k.Identity); err != nil {
		return nil, err
	}
	if r.lab, err = lab.Up(ctx, labOptions(k.Place)); err != nil {
		return nil, err
	}
	return &trio{rig: r, ours: r.envs[0], floor: r.envs[1], ansible: r.envs[2], served: k.Served}, r.write()
}

func (t *trio) save(file string) error {
	k := kept{
		Place: t.place, Stack: t.dir, Pub: t.pub, DeployKey: t.deployKey, KnownHost: t.knownHost, Identity: t.identity.String(),
		Secrets: t.secrets, Guests: t.guests, Greeting: t.greeting, Served: t.served,
	}
	for _, e := range t.envs {
		k.Envs = append(k.Envs, keptEnv{e.project, e.name, e.addr.String(), e.vars, e.vmid})
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
