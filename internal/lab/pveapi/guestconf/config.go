// Package guestconf is a guest's configuration file as Proxmox keeps it: the current
// settings, the pending ones and those of each snapshot.
package guestconf

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
)

// Section maps a setting to its text.
type Section map[string]string

// Config is one guest's file.
type Config struct {
	Current   Section
	Pending   Section            // changes that wait for a restart; the key "delete" lists removals
	Snapshots map[string]Section // by name; with "snaptime" and "parent"
}

// New returns an empty configuration.
func New() *Config {
	return &Config{Current: Section{}, Pending: Section{}, Snapshots: map[string]Section{}}
}

// Clone returns a deep copy.
func (c *Config) Clone() *Config {
	n := &Config{Current: c.Current.Clone(), Pending: c.Pending.Clone(), Snapshots: map[string]Section{}}
	for k, v := range c.Snapshots {
		n.Snapshots[k] = v.Clone()
	}
	return n
}

// Clone returns a copy.
func (s Section) Clone() Section {
	n := make(Section, len(s))
	for k, v := range s {
		n[k] = v
	}
	return n
}

// Keys returns the settings' names in alphabetical order.
func (s Section) Keys() []string {
	keys := make([]string, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Digest is the SHA-1 of the file's text, as Proxmox computes it: the same content has the
// same digest again, and a lock in it counts.
func (c *Config) Digest() string {
	sum := sha1.Sum([]byte(c.Text()))
	return hex.EncodeToString(sum[:])
}

// Text is the file.
func (c *Config) Text() string {
	var b strings.Builder
	c.Current.write(&b)
	if len(c.Pending) > 0 {
		b.WriteString("\n[pve:pending]\n")
		c.Pending.write(&b)
	}
	names := make([]string, 0, len(c.Snapshots))
	for n := range c.Snapshots {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(&b, "\n[%s]\n", n)
		c.Snapshots[n].write(&b)
	}
	return b.String()
}

func (s Section) write(b *strings.Builder) {
	if d := s["description"]; d != "" {
		for _, line := range strings.Split(strings.TrimRight(d, "\n"), "\n") {
			fmt.Fprintf(b, "#%s\n", line)
		}
	}
	for _, k := range s.Keys() {
		if k != "description" {
			fmt.Fprintf(b, "%s: %s\n", k, s[k])
		}
	}
}

// PendingDelete lists the settings whose removal waits, with true where it was forced.
func (c *Config) PendingDelete() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Split(c.Pending["delete"], ",") {
		if k = strings.TrimSpace(k); k != "" {
			name, force := strings.CutPrefix(k, "!")
			out[name] = force
		}
	}
	return out
}

func (c *Config) setPendingDelete(del map[string]bool) {
	if len(del) == 0 {
		delete(c.Pending, "delete")
		return
	}
	keys := make([]string, 0, len(del))
	for k, force := range del {
		if force {
			k = "!" + k
		}
		keys = append(keys, k)
	}
	sort.Strings(keys)
	c.Pending["delete"] = strings.Join(keys, ",")
}

// AddDelete queues the removal of a setting.
func (c *Config) AddDelete(key string, force bool) {
	delete(c.Pending, key)
	del := c.PendingDelete()
	del[key] = force
	c.setPendingDelete(del)
}

// Undelete takes a setting from the queue of removals.
func (c *Config) Undelete(key string) {
	del := c.PendingDelete()
	delete(del, key)
	c.setPendingDelete(del)
}

// Cleanup drops pending values that equal the current ones and removals of what is not set.
func (c *Config) Cleanup() {
	for k, v := range c.Pending {
		if cur, ok := c.Current[k]; k != "delete" && ok && cur == v {
			delete(c.Pending, k)
		}
	}
	del := c.PendingDelete()
	for k := range del {
		if _, ok := c.Current[k]; !ok {
			delete(del, k)
		}
	}
	c.setPendingDelete(del)
}

// Effective is the configuration as it will be after a restart.
func (c *Config) Effective() Section {
	s := c.Current.Clone()
	for k, v := range c.Pending {
		if k != "delete" {
			s[k] = v
		}
	}
	for k := range c.PendingDelete() {
		delete(s, k)
	}
	return s
}
