// Package action is the runner's side of the program: what GitHub Actions
// passes in (inputs, event, environment) and what it reads back (log commands,
// masks, annotations, outputs, summary, state).
//
// The facts about the runner come from the source of actions/runner
// (Runner.Worker/ActionCommandManager.cs, FileCommandManager.cs and
// Handlers/ContainerActionHandler.cs).
package action
