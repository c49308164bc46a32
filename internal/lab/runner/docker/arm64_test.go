package docker

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestArm64 builds the image for the other platform that is released, which takes no
// emulation: the Dockerfile compiles where it builds and copies the result. The program
// in it is a small one, for the real one is compiled for arm64 beside it.
func TestArm64(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	for _, name := range []string{"internal", "templates", "cmd/appstack"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dockerfile, err := os.ReadFile(filepath.Join(source, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Dockerfile": string(dockerfile), "go.mod": "module small\n\ngo 1.26\n", "go.sum": "",
		"cmd/appstack/main.go": "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const tag = "appstack-test:arm64"
	if err := e.Build(t.Context(), dir, tag, nil, "--platform", "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = e.Run(t.Context(), nil, "image", "rm", "--force", tag) })
	out, err := e.Run(t.Context(), nil, "image", "inspect", "--format", "{{.Os}}/{{.Architecture}} {{json .Config.Entrypoint}} {{json .Config.User}}", tag)
	if want := `linux/arm64 ["/appstack","action"] ""`; err != nil || out != want {
		t.Errorf("the image is %s (%v), not %s", out, err, want)
	}
	var saved bytes.Buffer
	if err := e.Save(t.Context(), tag, &saved); err != nil {
		t.Fatal(err)
	}
	files := layerFiles(t, &saved)
	if got := machine(t, files["appstack"]); got != elf.EM_AARCH64 {
		t.Errorf("the image's program is for %s", got)
	}
	if !strings.Contains(string(files["etc/ssl/certs/ca-certificates.crt"]), "BEGIN CERTIFICATE") {
		t.Error("the image has no CA certificates")
	}
	if _, ok := files["appstack-post"]; !ok {
		t.Error("the image has no /appstack-post")
	}
}

// TestProgramForArm64 compiles the action for arm64, statically.
func TestProgramForArm64(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the program for another architecture: not with -short")
	}
	bin := filepath.Join(t.TempDir(), "appstack")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", bin, "./cmd/appstack")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	if got := machine(t, text); got != elf.EM_AARCH64 {
		t.Errorf("the program is for %s", got)
	}
}

// machine is what an ELF program is for; it must need no other file.
func machine(t *testing.T, program []byte) elf.Machine {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}
	return f.Machine
}

// layerFiles are the files of a saved image with one layer; a symlink has no content.
func layerFiles(t *testing.T, saved io.Reader) map[string][]byte {
	t.Helper()
	outer := untar(t, saved)
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(outer["manifest.json"], &manifest); err != nil || len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("the image's manifest is %s (%v)", outer["manifest.json"], err)
	}
	return untar(t, bytes.NewReader(outer[manifest[0].Layers[0]]))
}

func untar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[strings.TrimPrefix(h.Name, "./")], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
