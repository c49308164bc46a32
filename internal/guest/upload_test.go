package guest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// receive runs upload.sh on this machine, and gives it the archive from the place
// on that it asks for, cut off after some bytes.
func receive(t *testing.T, file string, archive []byte, cut int) (asked string, err error) {
	t.Helper()
	script := fmt.Sprintf("file=%s size=%d sum=%x\n%s", quote(file), len(archive), sha256.Sum256(archive), uploadScript)
	cmd := exec.Command("sh", "-c", script)
	var at int
	if info, err := os.Stat(file + ".part"); err == nil && info.Size() <= int64(len(archive)) {
		at = int(info.Size())
	}
	rest := archive[at:]
	cmd.Stdin = bytes.NewReader(rest[:min(cut, len(rest))])
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func TestUploadGoesOn(t *testing.T) {
	dir := t.TempDir() + "/uploads"
	file := dir + "/abc.tar"
	archive := bytes.Repeat([]byte("0123456789"), 1000)
	if asked, err := receive(t, file, archive, 3000); asked != "0" || err == nil {
		t.Errorf("cut off at first: asked from %s, %v", asked, err)
	}
	if asked, err := receive(t, file, archive, 1000); asked != "3000" || err == nil {
		t.Errorf("cut off again: asked from %s, %v", asked, err)
	}
	if asked, err := receive(t, file, archive, 1<<20); asked != "4000" || err != nil {
		t.Errorf("the rest: asked from %s, %v", asked, err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, archive) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if asked, err := receive(t, file, archive, 0); asked != "10000" || err != nil {
		t.Errorf("once more: asked from %s, %v", asked, err)
	}
}

func TestUploadRefusesDamage(t *testing.T) {
	dir := t.TempDir() + "/uploads"
	file := dir + "/abc.tar"
	archive := bytes.Repeat([]byte("0123456789"), 1000)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"abc.tar.part": "9876543210", "old.tar": "x"} {
		if err := os.WriteFile(dir+"/"+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := receive(t, file, archive, 1<<20); err == nil {
		t.Error("a damaged archive is taken")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if asked, err := receive(t, file, archive, 1<<20); asked != "0" || err != nil {
		t.Errorf("then: asked from %s, %v", asked, err)
	}
}
