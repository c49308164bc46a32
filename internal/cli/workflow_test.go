package cli

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/appstack-action/templates"
)

// TestWorkflowsPassActionlint lints the workflows that init writes and that the documents
// show, with the action itself in the place of the published one: its inputs are checked too.
func TestWorkflowsPassActionlint(t *testing.T) {
	if testing.Short() {
		t.Skip("runs actionlint, which has to be compiled once: not with -short")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	workflows := map[string]string{
		"init-node":   templates.Scaffold{Branch: "dev", Runtime: "node", Runner: "self-hosted"}.Workflow(),
		"init-python": templates.Scaffold{Branch: "release/1.x", Runtime: "python", Runner: "ubuntu-latest"}.Workflow(),
	}
	documents, _ := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	for _, file := range append(documents, filepath.Join(root, "README.md")) {
		for _, text := range blocks(t, file, "workflow") {
			workflows[filepath.Base(file)] = text
		}
	}
	if workflows["README.md"] == "" {
		t.Fatal("the README shows no workflow: is the marker still there?")
	}
	project := projectWithAction(t, root)
	var files []string
	for _, name := range slices.Sorted(maps.Keys(workflows)) {
		text := strings.ReplaceAll(workflows[name], "org/appstack-action@v1", "./action")
		if text == workflows[name] {
			t.Errorf("%s does not use org/appstack-action@v1", name)
		}
		file := filepath.Join(project, ".github", "workflows", name+".yml")
		write(t, file, text)
		files = append(files, file)
	}
	if out, err := lint(t, root, files...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wrong := filepath.Join(project, ".github", "workflows", "wrong.yml")
	write(t, wrong, strings.NewReplacer("org/appstack-action@v1", "./action", "age-key:", "age_key:").Replace(workflows["README.md"]))
	if out, err := lint(t, root, wrong); err == nil || !strings.Contains(out, "age_key") {
		t.Errorf("a misspelt input passes: %v\n%s", err, out)
	}
}

// lint runs the actionlint that make lint runs.
func lint(t *testing.T, root string, files ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=.github/tools/go.mod", "actionlint", "-shellcheck="}, files...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// projectWithAction is a repository that has the action in a folder.
func projectWithAction(t *testing.T, root string) string {
	t.Helper()
	project := t.TempDir()
	for _, name := range []string{"action.yml", "Dockerfile"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(project, "action", name), string(text))
	}
	// It looks for the program of the image in the folder.
	write(t, filepath.Join(project, "action", "appstack-post"), "")
	for _, dir := range []string{".git", ".github/workflows"} {
		if err := os.MkdirAll(filepath.Join(project, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return project
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
