package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/runner/docker"
)

// image measures the action's image in a Docker engine of the lab's own.
func image(ctx context.Context, b *bench) error {
	if err := docker.Missing(); err != nil {
		b.found.Notes["image"] = "The image was not measured: " + err.Error()
		return nil
	}
	engine, err := docker.Start(ctx, filepath.Join(lab.CacheDir(), "docker"))
	if err != nil {
		return err
	}
	return errors.Join(b.image(ctx, engine), engine.Stop())
}

func (b *bench) image(ctx context.Context, e *docker.Engine) error {
	if err := e.GoBase(ctx, b.root, lab.CacheDir()); err != nil {
		return err
	}
	const ours, line = "appstack-bench", "appstack-bench-line"
	if err := e.Build(ctx, b.root, ours, nil); err != nil {
		return err
	}
	if err := b.oneLine(ctx, e, line); err != nil {
		return err
	}
	size, err := compressed(ctx, e, ours)
	if err != nil {
		return err
	}
	b.clear("image")
	b.clear("cold-start")
	b.add("image/appstack", "MB", size)
	for range max(b.runs, 10) {
		for _, c := range []struct{ who, image string }{{"appstack", ours}, {"one-line", line}} {
			took, err := firstLine(ctx, e, c.image)
			if err != nil {
				return err
			}
			b.add("cold-start/"+c.who, "ms", float64(took)/float64(time.Millisecond))
		}
	}
	_, err = e.Run(ctx, nil, "image", "rm", "--force", ours, line)
	return err
}

// oneLine builds an image whose program prints a line and ends.
func (b *bench) oneLine(ctx context.Context, e *docker.Engine, tag string) error {
	dir := filepath.Join(b.work, "line")
	const program = "package main\n\nfunc main() { println(\"ready\") }\n"
	const file = "FROM scratch\nCOPY line /line\nENTRYPOINT [\"/line\"]\n"
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644),
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o644))
	if err != nil {
		return err
	}
	build := call{args: []string{"go", "build", "-ldflags=-s -w", "-o", "line", "main.go"}, dir: dir, env: []string{"CGO_ENABLED=0"}}
	if _, err := build.do(ctx); err != nil {
		return err
	}
	return e.Build(ctx, dir, tag, nil)
}

// compressed is what a registry would send, in MB.
func compressed(ctx context.Context, e *docker.Engine, tag string) (float64, error) {
	cmd := "docker save " + tag + " | gzip -6 | wc -c"
	s, err := call{args: []string{"sh", "-c", cmd}, env: e.Environ()}.do(ctx)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s.stdout), 64)
	return n / 1e6, err
}

// firstLine runs a container and returns when its first line came.
func firstLine(ctx context.Context, e *docker.Engine, tag string) (time.Duration, error) {
	cmd := e.Command(ctx, "run", "--rm", "--network", "host", tag)
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var took time.Duration
	lines := make(chan error, 1)
	go func() {
		in := bufio.NewReader(read)
		_, err := in.ReadString('\n')
		took = time.Since(began)
		lines <- err
		_, _ = io.Copy(io.Discard, in)
	}()
	_ = cmd.Wait() // without inputs the action fails, after its first line
	write.Close()
	if err := <-lines; err != nil {
		return 0, fmt.Errorf("the container of %s prints nothing: %w", tag, err)
	}
	return took, nil
}
