package gitserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keysFile keeps the deploy keys over a restart: a line is repository, access and the
// key as authorized_keys(5) has it.
const keysFile = "deploy_keys"

// AddDeployKey lets an SSH key read one repository, or also write to it. As on GitHub,
// one deploy key belongs to one repository: a key in use elsewhere is an error.
func (s *Server) AddDeployKey(repo string, key ssh.PublicKey, write bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := string(key.Marshal())
	for other := range s.keys[id] {
		if other != repo {
			return fmt.Errorf("cannot add the deploy key to %s: key is already in use", repo)
		}
	}
	s.keys[id] = map[string]Access{repo: accessOf(write)}
	return s.saveKeys()
}

// RemoveDeployKey forgets an SSH key.
func (s *Server) RemoveDeployKey(key ssh.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, string(key.Marshal()))
	return s.saveKeys()
}

func (s *Server) saveKeys() error {
	var lines []string
	for id, repos := range s.keys {
		key, err := ssh.ParsePublicKey([]byte(id))
		if err != nil {
			return fmt.Errorf("cannot keep a deploy key: %w", err)
		}
		for repo, access := range repos {
			mode := "read"
			if access == Write {
				mode = "write"
			}
			lines = append(lines, repo+" "+mode+" "+string(ssh.MarshalAuthorizedKey(key)))
		}
	}
	slices.Sort(lines)
	path := filepath.Join(s.opt.Dir, keysFile)
	if err := os.WriteFile(path+".new", []byte(strings.Join(lines, "")), 0o600); err != nil {
		return fmt.Errorf("cannot keep the deploy keys: %w", err)
	}
	return os.Rename(path+".new", path)
}

func (s *Server) loadKeys() error {
	raw, err := os.ReadFile(filepath.Join(s.opt.Dir, keysFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the deploy keys: %w", err)
	}
	s.keys, err = parseKeys(raw)
	return err
}

func parseKeys(raw []byte) (map[string]map[string]Access, error) {
	keys := map[string]map[string]Access{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		f := strings.SplitN(lines.Text(), " ", 3)
		if len(f) != 3 || f[1] != "read" && f[1] != "write" {
			return nil, fmt.Errorf("cannot read the deploy keys: line %d is not repository, access and key", n)
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(f[2]))
		if err != nil {
			return nil, fmt.Errorf("cannot read the deploy keys: line %d: %w", n, err)
		}
		keys[string(key.Marshal())] = map[string]Access{f[0]: accessOf(f[1] == "write")}
	}
	return keys, lines.Err()
}
