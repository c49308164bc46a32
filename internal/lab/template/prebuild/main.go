// Prebuild builds the lab's default template into the cache directory that it is given.
// make demo lets it work while pvelab is still being compiled: it needs little of Go's
// standard library, and pvelab waits for a template that somebody else builds.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/org/appstack-action/internal/lab/template"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: prebuild CACHE-DIRECTORY")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := template.Build(ctx, os.Args[1], template.Default(), nil); err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}
