package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Build builds a Dockerfile as the runner does, and tags the image. log gets the
// build's lines; nil: nobody. More arguments go before the folder.
func (e *Engine) Build(ctx context.Context, dir, tag string, log io.Writer, args ...string) error {
	all := append([]string{"build", "--tag", tag, "--file", dir + "/Dockerfile", "--network", "host"}, args...)
	cmd := e.Command(ctx, append(all, dir)...)
	var kept strings.Builder
	cmd.Stdout, cmd.Stderr = &kept, &kept
	if log != nil {
		w := io.MultiWriter(log, &kept)
		cmd.Stdout, cmd.Stderr = w, w
	}
	if err := cmd.Run(); err != nil {
		text := kept.String()
		return fmt.Errorf("docker build: %w\n%s", err, text[max(0, len(text)-4000):])
	}
	return nil
}

// Layers are the digests of an image's layers, uncompressed.
func (e *Engine) Layers(ctx context.Context, image string) ([]string, error) {
	out, err := e.Run(ctx, nil, "image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
	if err != nil {
		return nil, err
	}
	var layers []string
	return layers, json.Unmarshal([]byte(out), &layers)
}

// Save writes an image as `docker save` does.
func (e *Engine) Save(ctx context.Context, image string, w io.Writer) error {
	cmd := e.Command(ctx, "save", image)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	return cmd.Run()
}
