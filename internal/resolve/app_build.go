package resolve

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bakedIn are the variables that frontend tools put into what they build, and whose
// change shows only after another build. Each tool documents its own prefix: Next.js,
// Nuxt, Vite, Create React App, Vue CLI, Gatsby, SvelteKit and Astro.
var bakedIn = []string{"NEXT_PUBLIC_*", "NUXT_PUBLIC_*", "VITE_*", "REACT_APP_*", "VUE_APP_*", "GATSBY_*", "PUBLIC_*"}

// built says what releases are built with, NAME=HASH for the app and for each service
// that has a build. A service that goes leaves the others' as they are.
func (b *osBuilder) built() []string {
	parts := []string{"app=" + shortHash(b.build(), b.bakedVars(b.env.EnvVars))}
	for _, s := range sortedServices(b.env) {
		if s.Build != "" {
			parts = append(parts, s.Name+"="+shortHash(s.Dir, s.Build, b.bakedVars(s.Env)))
		}
	}
	return parts
}

// bakedVars returns the variables that builds bake in. Those are public: the app shows
// them.
func (b *osBuilder) bakedVars(vars map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if isBakedIn(name, b.env.App.BuildEnv) {
			fmt.Fprintf(&text, "%s=%q\n", name, vars[name])
		}
	}
	return text.String()
}

func isBakedIn(name string, named []string) bool {
	return slices.ContainsFunc(slices.Concat(bakedIn, named), func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

// shortHash identifies texts among the few that a guest ever has.
func shortHash(texts ...string) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", texts)))[:8]
}
