package githubapi

import "net/http"

// getUser is where a token learns who it is; a workflow's or an app's token can't.
func getUser(c *call) (*reply, error) {
	if c.token.app() != "" {
		return nil, c.token.refusal()
	}
	o := c.links.user(c.token.Login)
	for _, key := range []string{"bio", "blog", "company", "email", "hireable", "location", "name"} {
		o[key] = nil
	}
	for _, key := range []string{"followers", "following", "public_gists", "public_repos", "collaborators", "disk_usage", "owned_private_repos", "private_gists", "total_private_repos"} {
		o[key] = 0
	}
	o["user_view_type"] = "private"
	o["two_factor_authentication"] = true
	o["created_at"], o["updated_at"] = "2011-01-25T18:44:36Z", "2024-01-25T18:44:36Z"
	return ok(o)
}

func getRateLimit(c *call) (*reply, error) {
	if c.token == nil {
		return nil, problem(http.StatusUnauthorized, "Requires authentication")
	}
	core := c.limits.object(c.token, c.now())
	return ok(obj{"rate": core, "resources": obj{"core": core, "search": core, "graphql": core}})
}

func getMeta(c *call) (*reply, error) {
	o := obj{"verifiable_password_authentication": false}
	if c.enterprise {
		o["installed_version"] = "3.17.0"
	}
	return ok(o)
}

func getRepo(c *call) (*reply, error) { return ok(c.repository(c.repo, true)) }
