package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/org/appstack-action/internal/lab/runner/docker"
)

// label marks this package's containers, so that none of them outlives its test.
const label = "appstack-lab-runner"

// How long the runner waits after SIGINT, and after SIGTERM (ProcessInvoker.cs).
const (
	interruptGrace = 7500 * time.Millisecond
	terminateGrace = 2500 * time.Millisecond
)

// Runner runs jobs that use one action.
type Runner struct {
	Docker *docker.Engine
	Action string    // folder of the action: action.yml and Dockerfile
	GitHub string    // URL of the GitHub look-alike
	Dir    string    // where the runner works; each job gets a folder in it
	Log    io.Writer // the log as GitHub's pages show it, line by line; nil: nobody
	// Patience is added to what GitHub's runner waits after a cancel, for a machine that
	// is slower than its.
	Patience time.Duration

	manifest Manifest
	image    string
}

// Build reads action.yml and builds its image, as the runner does in "Set up job".
func (r *Runner) Build(ctx context.Context, log io.Writer) (err error) {
	if r.manifest, err = ReadManifest(r.Action); err != nil {
		return err
	}
	r.image = "appstack-lab:" + random(8)
	return r.Docker.Build(ctx, r.Action, r.image, log)
}

// Image is the name of the image that [Runner.Build] made.
func (r *Runner) Image() string { return r.image }

// Close removes the image and the containers that were left running.
func (r *Runner) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	left, err := r.Docker.Run(ctx, nil, "ps", "--all", "--quiet", "--filter", "label="+label+"="+r.image)
	if err == nil && left != "" {
		_, err = r.Docker.Run(ctx, nil, append([]string{"rm", "--force"}, strings.Fields(left)...)...)
	}
	_, untag := r.Docker.Run(ctx, nil, "image", "rm", "--force", r.image)
	return errors.Join(err, untag)
}

// Step is the action's step while it runs.
type Step struct {
	runner *Runner
	job    Job
	at     folders
	files  map[string]string
	name   string
	cmd    *exec.Cmd
	began  time.Time
	log    *logReader
	done   chan struct{}
	err    error

	cancel sync.Once
}

// Result is what became of a step.
type Result struct {
	ExitCode int
	Took     time.Duration
	Raw      string // all that the container wrote, masks and commands included
	Log      string // what GitHub's pages show: masked, commands carried out
	Commands []Command
	Masks    []string          // what the step asked to hide
	Outputs  map[string]string // of GITHUB_OUTPUT
	State    map[string]string // of GITHUB_STATE
	Env      map[string]string // of GITHUB_ENV
	Path     []string          // of GITHUB_PATH
	Summary  string
	Written  []string // files that the workspace has and the checkout did not make

	at folders
}

// Annotations are the messages of a level: error, warning or notice.
func (r *Result) Annotations(level string) []Command {
	var found []Command
	for _, c := range r.Commands {
		if c.Name == level {
			found = append(found, c)
		}
	}
	return found
}

// Run runs a job's step to its end.
func (r *Runner) Run(ctx context.Context, job Job) (*Result, error) {
	step, err := r.Start(ctx, job)
	if err != nil {
		return nil, err
	}
	return step.Wait()
}

// Start starts a job's step. When ctx ends the step is cancelled, as by a person.
func (r *Runner) Start(ctx context.Context, job Job) (*Step, error) {
	f, err := newFolders(filepath.Join(r.Dir, "_work-"+random(4)), job.Repository)
	if err != nil {
		return nil, err
	}
	if job.Checkout != nil {
		if err := job.Checkout(f.workspace); err != nil {
			return nil, err
		}
	}
	return r.start(ctx, job, f, r.manifest.Runs.Entrypoint, nil)
}

// Post runs the action's post-entrypoint, which the runner does also after a failure
// and a cancel. It sees the state that the step saved.
func (r *Runner) Post(ctx context.Context, job Job, step *Result) (*Result, error) {
	if r.manifest.Runs.PostEntrypoint == "" {
		return nil, errors.New("cannot run the post step: action.yml has no post-entrypoint")
	}
	state := map[string]string{}
	for name, value := range step.State {
		state["STATE_"+name] = value
	}
	s, err := r.start(ctx, job, step.at, r.manifest.Runs.PostEntrypoint, state)
	if err != nil {
		return nil, err
	}
	return s.Wait()
}

func (r *Runner) start(ctx context.Context, job Job, f folders, entrypoint string, state map[string]string) (*Step, error) {
	s := &Step{runner: r, job: job, at: f, done: make(chan struct{})}
	var err error
	if s.files, err = f.prepare(job); err != nil {
		return nil, err
	}
	env, err := r.environ(job, f, s.files)
	if err != nil {
		return nil, err
	}
	add(env, state)
	s.name = strings.NewReplacer(":", "", "-", "").Replace(r.image) + "_" + random(3)
	s.log = newLogReader(r.Log, append([]string{job.Token}, job.Secrets...), job.Debug)
	s.cmd = s.command(env, entrypoint)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot run the action: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	context.AfterFunc(ctx, s.Cancel)
	return s, nil
}

// command is the runner's `docker run`: each variable by name only, its value in the
// client's environment.
func (s *Step) command(env map[string]string, entrypoint string) *exec.Cmd {
	args := []string{"run", "--name", s.name, "--label", label + "=" + s.runner.image, "--workdir", "/github/workspace", "--rm"}
	names := slices.Sorted(maps.Keys(env))
	for _, name := range names {
		args = append(args, "-e", name)
	}
	args = append(args, "-e", "GITHUB_ACTIONS=true", "-e", "CI=true")
	if entrypoint != "" {
		args = append(args, "--entrypoint", entrypoint)
	}
	args = append(args, "--network", "host")
	for _, m := range s.at.mounts(s.runner.Docker.Socket) {
		args = append(args, "-v", m.from+":"+m.to)
	}
	cmd := s.runner.Docker.Command(context.Background(), append(args, s.runner.image)...)
	for _, name := range names {
		cmd.Env = append(cmd.Env, name+"="+s.at.translate(env[name]))
	}
	// The client gets the signals that we send it, none of the terminal's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// Cancel does what the runner does when a person cancels: SIGINT to the docker client,
// SIGTERM after 7.5 s, an end of the client after 2.5 s more. It does not wait.
func (s *Step) Cancel() {
	s.cancel.Do(func() {
		go func() {
			for _, one := range []struct {
				signal syscall.Signal
				grace  time.Duration
			}{{syscall.SIGINT, interruptGrace}, {syscall.SIGTERM, terminateGrace}, {syscall.SIGKILL, 0}} {
				// A client that is gone already cannot be signalled, and need not.
				_ = syscall.Kill(s.cmd.Process.Pid, one.signal)
				select {
				case <-s.done:
					return
				case <-time.After(one.grace + s.runner.Patience):
				}
			}
		}()
	})
}

// Kill kills the container, as a machine that loses its power would.
func (s *Step) Kill(ctx context.Context) error {
	_, err := s.runner.Docker.Run(ctx, nil, "kill", "--signal", "KILL", s.name)
	return err
}

// Done is closed when the step has ended.
func (s *Step) Done() <-chan struct{} { return s.done }

// Seen is what the container wrote so far.
func (s *Step) Seen() string { return s.log.Raw() }

// Wait waits for the step's end and reads what it hands back. A step that fails is
// no error: see [Result.ExitCode].
func (s *Step) Wait() (*Result, error) {
	<-s.done
	res := &Result{Took: time.Since(s.began), ExitCode: s.cmd.ProcessState.ExitCode(), at: s.at}
	var exit *exec.ExitError
	if s.err != nil && !errors.As(s.err, &exit) {
		return nil, fmt.Errorf("cannot run the action: %w", s.err)
	}
	s.log.Close()
	res.Raw, res.Log, res.Commands, res.Masks = s.log.Raw(), s.log.shown.String(), s.log.commands, s.log.masks
	return res, s.read(res)
}

func (s *Step) read(res *Result) error {
	text := map[string]string{}
	var errs []error
	for variable, file := range s.files {
		content, err := os.ReadFile(file)
		errs = append(errs, err)
		text[variable] = string(content)
	}
	for variable, to := range map[string]*map[string]string{"GITHUB_OUTPUT": &res.Outputs, "GITHUB_STATE": &res.State, "GITHUB_ENV": &res.Env} {
		var err error
		*to, err = ParseFileCommand(text[variable])
		errs = append(errs, err)
	}
	res.Path = strings.Fields(text["GITHUB_PATH"])
	if res.Summary = text["GITHUB_STEP_SUMMARY"]; len(res.Summary) > 1<<20 {
		errs = append(errs, fmt.Errorf("the summary has %d bytes: GitHub drops it", len(res.Summary)))
	}
	if s.job.Checkout == nil {
		errs = append(errs, filepath.WalkDir(s.at.workspace, func(path string, _ os.DirEntry, err error) error {
			if path != s.at.workspace {
				res.Written = append(res.Written, path)
			}
			return err
		}))
	}
	return errors.Join(errs...)
}
