package guestconf

import (
	"maps"
	"testing"
)

func TestText(t *testing.T) {
	c := New()
	c.Current = Section{"memory": "512", "description": "two\nlines\n", "hostname": "a"}
	c.Pending = Section{"memory": "1024"}
	c.Snapshots["before"] = Section{"snaptime": "1"}
	want := "#two\n#lines\nhostname: a\nmemory: 512\n\n[pve:pending]\nmemory: 1024\n\n[before]\nsnaptime: 1\n"
	if got := c.Text(); got != want {
		t.Errorf("text:\n%s\nwant:\n%s", got, want)
	}
}

func TestDigest(t *testing.T) {
	c := New()
	c.Current["memory"] = "512"
	before := c.Digest()
	n := c.Clone()
	n.Current["lock"] = "backup"
	if n.Digest() == before {
		t.Error("a lock does not change the digest")
	}
	delete(n.Current, "lock")
	if n.Digest() != before {
		t.Error("the same content has another digest")
	}
}

func TestPending(t *testing.T) {
	c := New()
	c.Current = Section{"memory": "512", "swap": "0", "cores": "1"}
	c.Pending = Section{"memory": "1024", "cores": "1"}
	c.AddDelete("swap", true)
	c.AddDelete("onboot", false)
	c.AddDelete("cores", false)
	if want := map[string]bool{"swap": true, "onboot": false, "cores": false}; !maps.Equal(c.PendingDelete(), want) {
		t.Errorf("pending removals %v, want %v", c.PendingDelete(), want)
	}
	c.Undelete("cores")
	c.Cleanup()
	if want := (Section{"memory": "1024", "delete": "!swap"}); !maps.Equal(c.Pending, want) {
		t.Errorf("pending %v, want %v", c.Pending, want)
	}
	if want := (Section{"memory": "1024", "cores": "1"}); !maps.Equal(c.Effective(), want) {
		t.Errorf("after a restart %v, want %v", c.Effective(), want)
	}
}
