// Package vault reads and writes the age files that hold a team's secrets.
//
// # Files
//
// A secrets file is encrypted with age (https://age-encryption.org), binary or
// armored. Inside is YAML of nested text values:
//
//	proxmox_token: deploy@pve!ci=6a1b…
//	shop:
//	  deploy_key: |
//	    -----BEGIN OPENSSH PRIVATE KEY-----
//
// which the stack names ${secret.proxmox_token} and ${secret.shop.deploy_key}.
// Values are text: a number, a truth value or null is refused with the advice to
// quote it, because 0123, 1e3 and yes are not what they seem to be.
//
// # Recipients
//
// Who can read which file is written in .appstack/recipients, one recipient a
// line: age1…, age1pq1… (post-quantum), ssh-ed25519 … or ssh-rsa …. A comment on
// the line, or on the one right above it, says whose it is. Those at the top hold
// for every file; a section holds for the files that match one of its patterns,
// instead of those at the top. Where several sections match, the first one holds.
//
//	# alice
//	age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
//	age1…  # the deploying workflow
//
//	[secrets/prod*.age secrets/common.yaml.age]
//	ssh-ed25519 AAAA… bob@laptop
//
// Patterns are those of [path.Match], for the path from the repository's root, in
// which * does not cross a slash; a pattern without a slash is for the file's name.
// age refuses a file of which some recipients are post-quantum and others are not.
//
// # Reading
//
// A [Vault] is opened with the identities of whoever runs the program. Every value
// joins the redactor before it is returned.
//
//	ids, err := vault.ParseIdentities(nil, vault.Source{Name: "the age-key input", Text: key})
//	v, err := vault.At(dir)
//	v.Identities, v.Hide = ids, &redactor
//	secrets, err := v.Open("secrets/common.yaml.age", "secrets/prod.yaml.age")
//	token, ok := secrets.Get("proxmox_token")
//
// # Writing
//
// A file is replaced as a whole or not at all: the new content is written beside
// it, synced, and renamed over it.
package vault
