package stack

// Base is the operating system's set-up.
type Base struct {
	// User that the app runs as and that later runs log in as.
	User string `yaml:"user"`
	// Public keys that may log in as `user`.
	AuthorizedKeys []string `yaml:"authorized_keys"`
	// Remove keys that are not in `authorized_keys`. Default: report them.
	Exclusive bool `yaml:"exclusive"`
	// Debian packages to install.
	Packages []string `yaml:"packages"`
	// Filter incoming traffic with UFW: deny by default, SSH and the public
	// services' ports open.
	UFW bool `yaml:"ufw"`
	// Further ports to open.
	Firewall []FirewallRule `yaml:"firewall"`
	// Networks that may reach SSH. Default: any.
	SSHFrom OneOrMore `yaml:"ssh_from"`
	// The SSH server's settings.
	SSHD SSHD `yaml:"sshd"`
	// Install security updates every night.
	UnattendedUpgrades bool `yaml:"unattended_upgrades"`
	// Kernel settings by name, such as net.core.somaxconn: 1024.
	Sysctl map[string]string `yaml:"sysctl" stack:"scalar"`
	// Limit of the journal on disk, such as 200M or 1G.
	JournalSize string `yaml:"journal_size"`
	// Time zone, such as Europe/Berlin.
	Timezone string `yaml:"timezone"`
	// Locale, such as en_US.UTF-8.
	Locale string `yaml:"locale"`
}

// FirewallRule opens a port. A plain number or text is its port.
type FirewallRule struct {
	// A port such as 443 or a range such as 8000:8010.
	Port string `yaml:"port" stack:"scalar"`
	// tcp or udp.
	Protocol string `yaml:"protocol" jsonschema:"enum=tcp,enum=udp"`
	// Address or network that may connect, such as 10.0.0.0/8. Default: any.
	From string `yaml:"from"`
	// What the rule is for; shown by `ufw status`.
	Comment string `yaml:"comment"`
}

func (FirewallRule) shortForm() string { return "port" }

// SSHD hardens the guest's SSH server. The keys are those of sshd_config(5).
type SSHD struct {
	// Let people log in with passwords.
	PasswordAuthentication bool `yaml:"password_authentication"`
	// Whether root may log in: `prohibit-password` with a key, `no` not at
	// all (later runs log in as `user`).
	PermitRootLogin string `yaml:"permit_root_login" jsonschema:"enum=prohibit-password,enum=no"`
	// Forward X11.
	X11Forwarding bool `yaml:"x11_forwarding"`
	// Forward TCP ports.
	AllowTCPForwarding bool `yaml:"allow_tcp_forwarding"`
	// Forward the authentication agent.
	AllowAgentForwarding bool `yaml:"allow_agent_forwarding"`
	// Attempts to authenticate in one connection.
	MaxAuthTries int `yaml:"max_auth_tries" jsonschema:"minimum=1,maximum=100"`
}
