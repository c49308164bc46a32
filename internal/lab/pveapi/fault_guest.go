package pveapi

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// Trouble is how a guest misbehaves from one of its starts on.
type Trouble struct {
	LateSSH     time.Duration // its sshd begins to listen that much later
	RebootAfter time.Duration // it reboots by itself so long after the start; 0: it does not
}

// Troubled is a [Backend] whose guests can misbehave.
type Troubled interface {
	Backend
	// Trouble sets whom the Backend asks at every start of a guest, the guest's own
	// reboots included.
	Trouble(ask func(vmid int) Trouble)
}

// check refuses a fault that would never come.
func (f Fault) check() error {
	targets := 0
	for _, has := range []bool{f.Path != "", f.Task != "", f.Storage != "", f.Node != "", f.Guest != 0} {
		if has {
			targets++
		}
	}
	if targets != 1 {
		return errors.New("it takes one of path, task, storage, node and guest")
	}
	if _, err := path.Match(f.Path, "/"); err != nil {
		return err
	}
	if f.Drop != "" && f.Drop != "before" && f.Drop != "after" {
		return fmt.Errorf("drop is before or after, not %q", f.Drop)
	}
	of := f.startsBadly() || f.Lock != "" || f.Hold != 0
	if f.Guest == 0 && of {
		return errors.New("lock, hold, late_ssh and reboot_after are a guest's")
	}
	if f.Guest != 0 && !of {
		return errors.New("a guest's fault is lock, hold, late_ssh or reboot_after")
	}
	return nil
}

func (f Fault) startsBadly() bool { return f.LateSSH != 0 || f.RebootAfter != 0 }

// checkHere refuses a fault with what this lab does not have.
func (s *Server) checkHere(f Fault) error {
	_, troubled := s.opt.Backend.(Troubled)
	switch {
	case f.Node != "" && !slices.Contains(s.opt.Nodes, f.Node):
		return fmt.Errorf("no node is called %s", f.Node)
	case f.Storage != "" && s.st.Storages[f.Storage] == nil:
		return fmt.Errorf("no storage is called %s", f.Storage)
	case f.startsBadly() && !troubled:
		return errors.New("these guests have no start that could go wrong")
	}
	return nil
}

// at tells whether a fault is about that guest.
func (f *Fault) at(vmid int) bool { return f.Guest == vmid || f.Guest == AnyGuest }

// trouble is what goes wrong with a guest that is about to start: see [Troubled].
func (s *Server) trouble(vmid int) Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults.take(func(e *Fault) bool { return e.at(vmid) && e.startsBadly() })
	if f == nil {
		return Trouble{}
	}
	return Trouble{LateSSH: f.LateSSH, RebootAfter: f.RebootAfter}
}

// holdFirst lets another process be faster to take a guest's file lock, if a fault says so.
func (s *Server) holdFirst(vmid int) {
	if s.locks[vmid] != nil {
		return
	}
	f := s.faults.take(func(e *Fault) bool { return e.at(vmid) && e.Hold != 0 })
	if f == nil {
		return
	}
	held := make(chan struct{})
	s.locks[vmid] = held
	time.AfterFunc(f.Hold, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.locks, vmid)
		close(held)
	})
}

// lockNewGuests sets the locks that wait for guests which are there by now.
func (s *Server) lockNewGuests() error {
	locked := false
	for _, vmid := range sorted(s.st.Guests) {
		conf := s.st.Guests[vmid].Conf.Current
		if conf["lock"] != "" {
			continue
		}
		if f := s.faults.take(func(e *Fault) bool { return e.at(vmid) && e.Lock != "" }); f != nil {
			conf["lock"], locked = f.Lock, true
		}
	}
	if !locked {
		return nil
	}
	return s.save()
}

// HoldLock takes a guest's file lock until the function returned is called, as another
// process on the node would.
func (s *Server) HoldLock(vmid int) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := s.lockGuest(context.Background(), vmid, nil)
	if err != nil {
		return func() {}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		unlock()
	}
}

// SetLock sets or, with "", removes the setting "lock" of a guest, as pct set --lock and
// pct unlock do on the node.
func (s *Server) SetLock(vmid int, lock string) error { return s.SetOption(vmid, "lock", lock) }

// SetOption changes a setting of a guest out of band, as pct set does on the node; "" removes it.
func (s *Server) SetOption(vmid int, option, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.st.Guests[vmid]
	if g == nil {
		return fmt.Errorf("cannot change guest %d: it does not exist", vmid)
	}
	if g.Conf.Current[option] = value; value == "" {
		delete(g.Conf.Current, option)
	}
	return s.save()
}
