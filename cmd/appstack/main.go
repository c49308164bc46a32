// Command appstack deploys apps to Proxmox VE from one stack file. It is the
// GitHub Action and the command line of the same name.
package main

import (
	"os"

	"github.com/org/appstack-action/internal/cli"
)

// version is set by the release's build.
var version = "dev"

func main() {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	os.Exit(cli.Main(cli.Environ{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ, Dir: dir, Version: version,
	}))
}
