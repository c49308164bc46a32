package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Manifest is what the runner reads of an action.yml.
type Manifest struct {
	Name   string
	Inputs map[string]struct {
		Description string
		Required    bool
		Default     string
	}
	Outputs map[string]struct{ Description string }
	Runs    struct {
		Using          string
		Image          string
		Entrypoint     string
		PreEntrypoint  string   `yaml:"pre-entrypoint"`
		PostEntrypoint string   `yaml:"post-entrypoint"`
		Args           []string `yaml:"args"`
	}
}

// ReadManifest reads the action.yml of an action's folder. What this look-alike does
// not do is an error.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, "action.yml"))
	if err != nil {
		return m, err
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("cannot read action.yml: %w", err)
	}
	r := m.Runs
	if r.Using != "docker" || r.Image != "Dockerfile" || r.PreEntrypoint != "" || len(r.Args) > 0 {
		return m, fmt.Errorf("cannot run action.yml: only `using: docker` with `image: Dockerfile`, without args and pre-entrypoint, is known here")
	}
	return m, nil
}

// inputs are the values of the action's inputs as environment variables. The runner
// upper-cases names and puts an underscore for a space, and nothing else.
func (m Manifest) inputs(job Job) (map[string]string, error) {
	env := map[string]string{}
	for name, in := range m.Inputs {
		value, given := job.With[name]
		if !given {
			value = in.Default
			switch {
			case value == "${{ github.token }}":
				value = job.Token
			case value == "${{ job.check_run_id }}" && job.ID == 0:
				value = ""
			case value == "${{ job.check_run_id }}":
				value = strconv.FormatInt(job.ID, 10)
			case strings.Contains(value, "${{"):
				return nil, fmt.Errorf("cannot evaluate the default %s of input %s", value, name)
			}
		}
		env["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value
	}
	for name := range job.With {
		if _, known := m.Inputs[name]; !known {
			return nil, fmt.Errorf("unexpected input %q: action.yml has no such input", name)
		}
	}
	return env, nil
}
