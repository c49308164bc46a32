// Package stack reads appstack.yaml, the file in which a team says which
// projects it has, where each of their environments runs and how.
//
// [Load] does it in one go: YAML to a tree with positions, the tree held to
// the types of this package, the layers merged (built-in defaults,
// `defaults:`, the project, the environment), the result checked, across all
// environments. It collects every mistake with its place and what was
// probably meant, instead of stopping at the first.
//
//	s, problems := stack.Load("appstack.yaml", src)
//	problems.Render(os.Stderr, color)
//	if problems.HasErrors() { … }
//	for _, env := range s.Envs { … }
//
// Secrets stay the `${secret.name}` that was written until [Env.Expand] and
// [Stack.Expand] replace them, so that everything before can be shown.
//
// The types are the documentation of the file: their keys, limits and
// comments become the JSON schema that [Schema] returns.
package stack
