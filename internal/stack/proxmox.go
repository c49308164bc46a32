package stack

// Proxmox says where the Proxmox VE API is and how to log in.
type Proxmox struct {
	// Address of the API, such as https://pve1.lan:8006.
	URL string `yaml:"url"`
	// API token, as user@realm!id=uuid.
	Token string `yaml:"token"`
	// SHA-256 fingerprint of the API's certificate, as shown under
	// System → Certificates of the node.
	Fingerprint string `yaml:"fingerprint"`
	// PEM file (path in the repository, or the certificates themselves) of
	// the authority that signed the API's certificate. Without `ca` and
	// `fingerprint` the system's authorities are trusted.
	CA string `yaml:"ca"`
	// Node that new guests are created on, or `auto`: the online node with
	// the most free memory that has the storage, the bridge and the template.
	Node string `yaml:"node"`
	// Pool that new guests join.
	Pool string `yaml:"pool"`
	// `jump`: reach the API through the host of `ssh.jump` too.
	Via string `yaml:"via" jsonschema:"enum=jump"`
}

// SSH says how guests are reached.
type SSH struct {
	// User of the first run, before the app user exists.
	User string `yaml:"user"`
	// Private key (its text, from a secret) that logs in to the guests.
	Key string `yaml:"key"`
	// Port of the guests' SSH servers.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Host to go through to reach the guests.
	Jump *Jump `yaml:"jump"`
}

// Jump is an SSH host between us and the guests.
type Jump struct {
	// user@host or user@host:port.
	To string `yaml:"to"`
	// Private key for this host. Default: `ssh.key`.
	Key string `yaml:"key"`
	// The host's public key, such as `ssh-ed25519 AAAA…`, as
	// `ssh-keyscan` prints it after the name.
	HostKey string `yaml:"host_key"`
}

// SecretFile is a file encrypted with age. A plain string is its path.
type SecretFile struct {
	// Path in the repository.
	File string `yaml:"file"`
	// Open the file only when one of these environments is the target.
	Envs OneOrMore `yaml:"envs"`
	// Open the file only when one of these projects is the target.
	Projects OneOrMore `yaml:"projects"`
}

func (SecretFile) shortForm() string { return "file" }
