package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// recipe changes when what a base image is made of does.
const recipe = "3"

// GoImage is the name under which [Engine.GoBase] makes its image: the one that the
// Dockerfile builds from.
const GoImage = "golang:1.26-bookworm"

// programs are what a Dockerfile's RUN lines and act's steps need of a distribution.
var programs = []string{
	"sh", "cat", "chmod", "cp", "date", "dirname", "echo", "env", "false", "find", "head", "id", "ln", "ls", "mkdir", "mktemp", "mv",
	"pwd", "readlink", "rm", "rmdir", "sed", "sha256sum", "sleep", "sort", "tail", "tar", "test", "touch", "tr", "true", "uname",
}

// GoBase makes the image that the Dockerfile of the module in source builds from, if
// this engine does not have it yet: this machine's Go, a few of its programs, and its
// CA certificates. It brings the module's dependencies and their compiled packages
// along, so that a build downloads nothing and compiles little. cache keeps the compiled
// packages.
func (e *Engine) GoBase(ctx context.Context, source, cache string) error {
	key, err := baseKey(ctx, source)
	if err != nil {
		return fmt.Errorf("cannot make the base image: %w", err)
	}
	have, err := e.Run(ctx, nil, "image", "ls", "--quiet", "--filter", "label=lab.base="+key, GoImage)
	if err == nil && have != "" {
		return nil
	}
	built := filepath.Join(cache, "go-build")
	if err := warm(ctx, source, built); err != nil {
		return fmt.Errorf("cannot make the base image: %w", err)
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeBase(ctx, pw, source, built)) }()
	_, err = e.Run(ctx, pr, "import",
		"--change", "LABEL lab.base="+key,
		"--change", "ENV PATH=/usr/local/go/bin:/usr/bin:/bin",
		"--change", "ENV GOPATH=/go",
		"--change", "ENV GOCACHE=/go/build",
		"--change", "ENV GOTOOLCHAIN=local",
		"--change", "ENV GOPROXY=file:///go/proxy",
		"--change", "ENV GOSUMDB=off",
		"--change", `CMD ["sh"]`,
		"-", GoImage)
	pr.CloseWithError(err)
	if err != nil {
		return err
	}
	e.prune(ctx)
	return nil
}

// prune removes what only an earlier base image was good for. It is tidying: a Docker engine
// that lost track of a build that was killed refuses, and builds all the same.
func (e *Engine) prune(ctx context.Context) {
	for _, what := range []string{"image", "builder"} {
		_, _ = e.Run(ctx, nil, what, "prune", "--force")
	}
}

// baseKey names what the image is made of.
func baseKey(ctx context.Context, source string) (string, error) {
	version, err := goCommand(ctx, source, "version")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, recipe, version)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// warm compiles the packages that the program is made of and that are not its own.
// With -trimpath the compiled ones are the same wherever they lie.
func warm(ctx context.Context, source, cache string) error {
	unlock, err := exclusive(ctx, cache+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	list, err := goCommand(ctx, source, "list", "-deps", "-f", "{{if and .Module (not .Module.Main)}}{{.ImportPath}}{{end}}", "./cmd/appstack")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-buildvcs=false"}, strings.Fields(list)...)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOCACHE="+cache)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func exclusive(ctx context.Context, file string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-locked:
		return func() { f.Close() }, err
	case <-ctx.Done():
		f.Close()
		return nil, context.Cause(ctx)
	}
}

// writeBase writes the image's files as a tar archive.
func writeBase(ctx context.Context, w io.Writer, source, built string) error {
	a := &archive{tar: tar.NewWriter(w), has: map[string]bool{}}
	a.dir("tmp", 0o1777)
	a.dir("root", 0o700)
	a.link("bin", "usr/bin")
	a.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	a.text("etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
	for _, p := range programs {
		a.program(ctx, p)
	}
	root, err := goCommand(ctx, source, "env", "GOROOT")
	a.fail(err)
	for _, dir := range []string{"bin", "pkg/include", "src"} {
		a.tree(filepath.Join(root, dir), "usr/local/go/"+dir)
	}
	for _, tool := range []string{"asm", "compile", "link"} {
		name := filepath.Join("pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH, tool)
		a.file(filepath.Join(root, name), "usr/local/go/"+name)
	}
	a.file(filepath.Join(root, "VERSION"), "usr/local/go/VERSION")
	a.file(filepath.Join(root, "go.env"), "usr/local/go/go.env")
	a.file("/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt")
	a.tree(built, "go/build")
	a.modules(ctx, source)
	a.fail(a.tar.Close())
	return a.err
}

// archive is a tar archive that keeps its first error.
type archive struct {
	tar *tar.Writer
	has map[string]bool
	err error
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// header writes a header, once for each name.
func (a *archive) header(h tar.Header) bool {
	if a.err != nil || a.has[h.Name] {
		return false
	}
	a.has[h.Name] = true
	h.Format = tar.FormatPAX
	a.fail(a.tar.WriteHeader(&h))
	return a.err == nil
}

func (a *archive) dir(name string, mode int64) {
	a.header(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode})
}

func (a *archive) link(name, to string) {
	a.header(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777})
}

func (a *archive) text(name, text string) {
	if a.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}) {
		_, err := io.WriteString(a.tar, text)
		a.fail(err)
	}
}

// file copies a file, following links.
func (a *archive) file(from, name string) {
	f, err := os.Open(from)
	if err != nil {
		a.fail(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	if a.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}) {
		_, err = io.CopyN(a.tar, f, info.Size())
		a.fail(err)
	}
}

func (a *archive) tree(from, name string) {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		a.fail(err)
		return
	}
	a.fail(filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if d.IsDir() && needless(name, rel) {
			return filepath.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(rel, "_test.go") {
			return err
		}
		if err == nil {
			a.file(path, filepath.Join(name, rel))
		}
		return errors.Join(err, a.err)
	}))
}

// needless tells of a directory of Go's source that no program is compiled from: two
// fifths of it are the tools' own and test data.
func needless(tree, dir string) bool {
	return tree == "usr/local/go/src" && (dir == "cmd" || filepath.Base(dir) == "testdata")
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// program copies a program of this machine with the libraries that it is linked to.
func (a *archive) program(ctx context.Context, name string) {
	path, err := exec.LookPath(name)
	if err != nil {
		a.fail(err)
		return
	}
	a.file(path, "usr/bin/"+name)
	out, err := exec.CommandContext(ctx, "ldd", path).Output()
	if err != nil {
		a.fail(fmt.Errorf("ldd %s: %w", path, err))
		return
	}
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		a.file(m[1], strings.TrimPrefix(m[1], "/"))
	}
}

// modules copies what the build wants, as a module proxy in files: the modules that the
// program is compiled from, and what all others say that they need.
func (a *archive) modules(ctx context.Context, source string) {
	list, err := goCommand(ctx, source, "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./cmd/appstack")
	a.fail(err)
	compiled := strings.Split(list, "\n")
	cache, err := goCommand(ctx, source, "env", "GOMODCACHE")
	a.fail(err)
	sums, err := os.ReadFile(filepath.Join(source, "go.sum"))
	a.fail(err)
	for line := range strings.Lines(string(sums)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		version := strings.TrimSuffix(f[1], "/go.mod")
		for _, ext := range []string{".info", ".mod", ".zip"} {
			name := escapeUpper(f[0]) + "/@v/" + escapeUpper(version) + ext
			if ext == ".zip" && !slices.Contains(compiled, f[0]+" "+version) {
				continue
			}
			if from := filepath.Join(cache, "cache", "download", name); exists(from) {
				a.file(from, "go/proxy/"+name)
			}
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// escapeUpper is how module paths are written in file names, which may not tell
// upper from lower case (go.dev/ref/mod, "Module cache").
func escapeUpper(path string) string {
	var b strings.Builder
	for _, c := range path {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('!')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
