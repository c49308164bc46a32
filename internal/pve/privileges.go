package pve

// permissions are a token's privileges by path, as /access/permissions tells them.
type permissions map[string]map[string]int
