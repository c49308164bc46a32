package cli

import "testing"

func TestParseOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/org/shop.git":                       "https://github.com/org/shop.git",
		"https://github.com/org/shop":                           "https://github.com/org/shop.git",
		"git@github.com:org/shop.git":                           "https://github.com/org/shop.git",
		"ssh://git@ghe.lan:2222/org/shop.git":                   "https://ghe.lan/org/shop.git",
		"http://x:t0ken-of-the-lab@10.86.0.1:8080/org/shop.git": "http://10.86.0.1:8080/org/shop.git",
		"/srv/git/shop.git":                                     "",
		"../shop":                                               "",
		"https://gitlab.com/group/sub/shop.git":                 "",
		"file:///srv/git/shop.git":                              "",
		"":                                                      "",
		"https://%zz":                                           "",
	} {
		o := parseOrigin(address)
		if got := o.cloneURL(); got != want {
			t.Errorf("%q is cloned from %q, not %q", address, got, want)
		}
		if hasToken := address == "http://x:t0ken-of-the-lab@10.86.0.1:8080/org/shop.git"; o.token.IsZero() == hasToken {
			t.Errorf("%q has the token %v", address, o.token)
		}
	}
}
