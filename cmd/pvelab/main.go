// Command pvelab runs a Proxmox VE, a GitHub and a git server to deploy to on any
// Linux machine, with real containers for guests. See docs/lab.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pvelab: error:", err)
		os.Exit(1)
	}
}
