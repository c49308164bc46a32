package pveapi_test

import "strings"

// reasons say why exchanges do not match, by the beginning of "SCENARIO #STEP …"; the
// longest that fits counts.
var reasons = map[string]string{
	"aplinfo #000":            "Proxmox's list of templates is longer than the lab's, and its descriptions are Proxmox's",
	"aplinfo #001":            "as aplinfo #000",
	"aplinfo #005":            "the log names the mirror's address, which the lab does not have",
	"aplinfo #014":            "the recorded mirror's file differs in size from the node's own template",
	"aplinfo":                 "the log of wget depends on the download's speed and sizes",
	"auth-tokens #019":        "Go's HTTP server trims white space at the end of a header",
	"generic-http":            "answers of Proxmox's own HTTP server to broken requests",
	"lxc-backup":              "the lab makes no backups: vzdump and restore are not served",
	"perm-life #090":          "as lxc-backup",
	"perm-life #093":          "the record looked at the interfaces a moment after the start, before they had addresses",
	"lxc-clone #010":          "the status daemon had not seen the new guest yet (Options.StatusLag plays that)",
	"qemu-config #005":        "as lxc-clone #010",
	"lxc-create-errors #151":  "the recorded node has no ha-manager",
	"lxc-create-minimal #014": "the file names in tar's complaints are the recorded template's",
	"tasks #076":              "as lxc-create-minimal #014",
	"tasks #077":              "as lxc-create-minimal #014",
	"tasks #078":              "as lxc-create-minimal #014",
	"tasks #079":              "as lxc-create-minimal #014",
	"tasks #080":              "as lxc-create-minimal #014: thousands of such lines",
	"tasks #081":              "as tasks #080",
	"lxc-create-start":        "what the record saw of a start that was still going on depends on the moment",
	"perm-create #071":        "as lxc-create-start",
	"lxc-create-taken":        "what the record saw of a creation that was going on depends on the moment",
	"lxc-lock #010":           "the status daemon still showed an earlier guest of this id",
	"lxc-lock #027":           "as lxc-lock #010",
	"pools #017":              "as lxc-lock #010",
	"pools #018":              "as lxc-lock #010",
	"lxc-resize #039":         "the recorded node cannot grow a file system that is mounted; a real one can",
	"lxc-resize #041":         "follows from #039",
	"lxc-template":            "the record looked before the conversion, a task of its own, had ended",
	"qemu-config #014":        "the recorded node lacks genisoimage",
	"qemu-config":             "the recorded node's qemu-img lacks Proxmox's patches, so full clones fail there",
	"tasks #002":              "the record looked before the task's first line",
	"tasks #004":              "the record shows tasks of scenarios before",
	"tasks #071":              "as tasks #004",
	"tasks #032":              "as tasks #004",
	"tasks #045":              "the record caught a task between its last line and its end",
	"tasks #05":               "the record's shutdown ended after the stop that came later; here it ends before",
	"tasks #06":               "as tasks #058",
	"tasks #07":               "as tasks #058",
	"lxc-migrate":             "the recorded node is alone",
	"cluster-nodes":           "figures of the node",
	"lxc-config-running":      "follows from a moment at which the container was still starting",
	"lxc-rollback":            "as lxc-create-start",
}

func reasonFor(where string) string {
	best, text := "", ""
	for prefix, reason := range reasons {
		if strings.HasPrefix(where, prefix) && len(prefix) > len(best) {
			best, text = prefix, reason
		}
	}
	return text
}
