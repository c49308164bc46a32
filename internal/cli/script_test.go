package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/appstack-action/internal/cli"
)

// TestMain makes the test binary the program itself, too, so that scripts run it
// as a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"appstack": func() {
			dir, err := os.Getwd()
			if err != nil {
				panic(err)
			}
			os.Exit(cli.Main(cli.Environ{
				Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Environ: os.Environ, Dir: dir,
			}))
		},
	})
}

// TestScripts runs testdata/script, one intent a file. With UPDATE_SCRIPTS set, it
// rewrites what they expect.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("USER", "alice")
			env.Setenv("GORACE", "atexit_sleep_ms=10") // with -race, every program's end would take a second
			return nil
		},
	})
}
