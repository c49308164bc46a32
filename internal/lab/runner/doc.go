// Package runner is GitHub's runner as a container action meets it: the same
// `docker run`, the same mounts and environment, the same files, the same signals.
//
// It follows actions/runner: Handlers/ContainerActionHandler.cs for the container,
// Container/DockerCommandManager.cs for the command line, GitHubContext.cs and
// RunnerContext.cs for the environment, FileCommandManager.cs and
// ActionCommandManager.cs for what is read back, ProcessInvoker.cs for the cancel. Two
// things differ: the network is the host's, since the lab's engine has no bridge, and
// the containers carry one more label, by which they are found again.
//
// It evaluates no workflow: a [Job] says what a workflow would.
package runner
