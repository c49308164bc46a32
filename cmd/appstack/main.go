// Command appstack deploys apps to Proxmox VE from one stack file. It is the
// GitHub Action and the command line of the same name.
package main

import (
	"os"
	"runtime/debug"

	"github.com/org/appstack-action/internal/cli"
)

// version is set by the release's build; otherwise it is that of the module, which `go
// install` knows.
var version string

// memory is what the garbage collector keeps the program within, as far as it can: a
// build that prints without end would otherwise make the heap grow between two of
// its cycles. It shares the runner with whatever else the job does.
const memory = 40 << 20 // bytes

func main() {
	// The limit alone makes the collector run: most runs are over before they have
	// made that much garbage.
	debug.SetMemoryLimit(memory)
	debug.SetGCPercent(-1)
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	os.Exit(cli.Main(cli.Environ{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ, Dir: dir, Version: ownVersion(),
	}))
}

// ownVersion is the version that the build set, or the module's, or dev.
func ownVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
