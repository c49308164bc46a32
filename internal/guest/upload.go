package guest

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

//go:embed upload.sh
var uploadScript string

// uploads is where archives wait on the machine for the step that deploys them.
const uploads = "/var/lib/appstack/uploads"

// tree returns the archive that a step deploys, or "".
func tree(s *plan.Step, have, want *machine.OS) string {
	if s.Resource.Kind != "release" || s.Verb != plan.Deploy || want.Release == nil || s.Resource.Name != want.Release.SHA {
		return ""
	}
	if serves(have, s.Resource.Name) && len(have.Release.Lacks(want.Release)) == 0 {
		return ""
	}
	return want.Release.Tree
}

// Send brings a file of this side to the machine, and returns its path there: a dump
// for a step that restores it, which removes it. The path is gone with the next upload.
func (c *Conn) Send(ctx context.Context, local string, progress plan.Progress) (remote string, err error) {
	if progress == nil {
		progress = silent{}
	}
	text, err := os.Open(local)
	if err != nil {
		return "", fmt.Errorf("cannot send %s: %w", local, err)
	}
	defer text.Close()
	hash := sha256.New() // by its content: what another file left there is not taken for it
	if _, err := io.Copy(hash, text); err != nil {
		return "", fmt.Errorf("cannot send %s: %w", local, err)
	}
	name := hex.EncodeToString(hash.Sum(nil))[:40]
	step := plan.Step{Verb: plan.Restore, Resource: plan.Resource{Kind: "dump", Name: filepath.Base(local)}}
	return path.Join(uploads, name+".tar"), c.upload(ctx, step, name, local, progress)
}

// upload brings what a step needs to the machine, before the steps' own exec: it may be
// large, and goes on where an earlier connection broke off.
func (c *Conn) upload(ctx context.Context, step plan.Step, name, local string, progress plan.Progress) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("cannot upload %s: %w", local, err)
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return fmt.Errorf("cannot upload %s: %w", local, err)
	}
	script := fmt.Sprintf("file=%s size=%d sum=%s\n%s", quote(path.Join(uploads, name+".tar")), size, hex.EncodeToString(hash.Sum(nil)), uploadScript)
	p, err := c.start(ctx, script)
	if err != nil {
		return err
	}
	defer p.Close()
	said := collect(p.Stderr)
	err = send(p.Stdin, p.Stdout, f, size, progress)
	p.Stdin.Close()
	code, exit := p.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case exit != nil:
		return &LostError{Err: exit}
	case code != 0:
		if refused := sudoError(c.User(), said()); refused != nil {
			return refused
		}
		return &StepError{Step: step, Code: code, Tail: strings.TrimSpace(said())}
	}
	return err
}

// send sends the part of the archive that the machine does not have yet.
func send(stdin io.Writer, stdout io.Reader, f io.ReadSeeker, size int64, progress plan.Progress) error {
	line, err := bufio.NewReader(io.LimitReader(stdout, 64)).ReadString('\n')
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil || at < 0 || at > size {
		return errors.New("cannot upload: the machine does not say how much it has")
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyBuffer(&meter{Writer: stdin, at: at, size: size, began: time.Now(), progress: progress}, onlyReader{f}, make([]byte, 256<<10))
	return err
}

// onlyReader hides that a file could write itself, in pieces of its own size.
type onlyReader struct{ io.Reader }

// meter tells every few seconds how far a copy is.
type meter struct {
	io.Writer
	at, size    int64
	began, told time.Time
	progress    plan.Progress
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Writer.Write(p)
	m.at += int64(n)
	if now := time.Now(); now.Sub(m.told) > 3*time.Second {
		if !m.told.IsZero() {
			m.progress.Wait(fmt.Sprintf("the upload: %d of %d MiB", m.at>>20, m.size>>20), now.Sub(m.began))
		}
		m.told = now
	}
	return n, err
}
