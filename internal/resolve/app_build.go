package resolve

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/stack"
)

// bakedIn are the variables that frontend tools put into what they build, and whose
// change shows only after another build. Each tool documents its own prefix: Next.js,
// Nuxt, Vite, Create React App, Vue CLI, Gatsby, SvelteKit and Astro.
var bakedIn = []string{"NEXT_PUBLIC_*", "NUXT_PUBLIC_*", "VITE_*", "REACT_APP_*", "VUE_APP_*", "GATSBY_*", "PUBLIC_*"}

// buildID identifies the variables that the app's builds bake in; "" where there are
// none. What is baked in is public, or the app itself would show it.
func buildID(env *stack.Env) string {
	h := sha256.New()
	found := false
	add := func(of string, vars map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			if isBakedIn(name, env.App.BuildEnv) {
				found = true
				fmt.Fprintf(h, "%q %s=%q\n", of, name, vars[name])
			}
		}
	}
	add("", env.EnvVars)
	for _, s := range sortedServices(env) {
		add(s.Name, s.Env)
	}
	if !found {
		return ""
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:8]
}

func isBakedIn(name string, named []string) bool {
	return slices.ContainsFunc(slices.Concat(bakedIn, named), func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}
