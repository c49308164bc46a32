package lxc

import (
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limit is one file of a cgroup and what to write into it.
type limit struct{ file, value string }

// limiter knows how the machine's cgroups spell limits.
type limiter interface {
	prefix() string // of LXC's configuration keys
	// of is what a configuration asks for, in the order to set it: its CPUs from the first on.
	of(config map[string]string, first int) []limit
	dir(controller, cgroup string) string // where a cgroup's files are
	usage() (mem, cpu string)             // "controller/file" of bytes and of CPU time
}

// cgroupRoot is where systemd and every distribution mount cgroups.
const cgroupRoot = "/sys/fs/cgroup"

func newLimiter() limiter {
	var fs unix.Statfs_t
	if unix.Statfs(cgroupRoot, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return unified{}
	}
	return legacy{}
}

// cpuPeriod is the scheduler's accounting period in µs: the kernel's default.
const cpuPeriod = 100000

// mib is a number of MiB from Proxmox's configuration in bytes, or 0.
func mib(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n << 20
}

// quota is the CPU time a period that cpulimit allows, or 0 for no limit.
func quota(config map[string]string) int64 {
	f, _ := strconv.ParseFloat(config["cpulimit"], 64)
	return int64(f * cpuPeriod)
}

// cores are the CPUs that a container with so many cores runs on, of a machine that has
// so many: from the first on, and around.
func cores(config map[string]string, first, all int) string {
	n, _ := strconv.Atoi(config["cores"])
	if n <= 0 || n >= all {
		return "0-" + strconv.Itoa(all-1)
	}
	var list []string
	for i := range n {
		list = append(list, strconv.Itoa((first+i)%all))
	}
	return strings.Join(list, ",")
}

// firstCPU spreads containers over the CPUs, those of labs beside one another, too. Proxmox
// looks every few seconds which have the fewest (rebalance_lxc_containers of pvestatd).
func (b *Backend) firstCPU(vmid int) int {
	return vmid + int(crc32.ChecksumIEEE([]byte(b.opt.Name))%64)
}

func memory(config map[string]string) (mem, swap int64) {
	mem, swap = mib(config["memory"]), mib(config["swap"])
	if config["memory"] == "" {
		mem = 512 << 20 // Proxmox's default
	}
	if config["swap"] == "" {
		swap = 512 << 20
	}
	return mem, swap
}

// legacy is cgroup v1, also beside v2 without controllers ("hybrid").
type legacy struct{}

func (legacy) prefix() string { return "lxc.cgroup." }

func (legacy) dir(controller, cgroup string) string {
	return filepath.Join(cgroupRoot, controller, cgroup)
}

func (legacy) usage() (string, string) {
	return "memory/memory.usage_in_bytes", "cpuacct/cpuacct.usage"
}

func (legacy) of(config map[string]string, first int) []limit {
	mem, swap := memory(config)
	limits := []limit{
		{"memory.limit_in_bytes", strconv.FormatInt(mem, 10)},
		{"memory.memsw.limit_in_bytes", strconv.FormatInt(mem+swap, 10)},
		{"cpuset.cpus", cores(config, first, runtime.NumCPU())},
		{"cpu.cfs_quota_us", "-1"},
	}
	if q := quota(config); q > 0 {
		limits[3].value = strconv.FormatInt(q, 10)
	}
	if u := config["cpuunits"]; u != "" {
		limits = append(limits, limit{"cpu.shares", u})
	}
	return limits
}

// unified is cgroup v2.
type unified struct{}

func (unified) prefix() string { return "lxc.cgroup2." }

func (unified) dir(_, cgroup string) string { return filepath.Join(cgroupRoot, cgroup) }

func (unified) usage() (string, string) { return "memory/memory.current", "cpu/cpu.stat" }

func (unified) of(config map[string]string, first int) []limit {
	mem, swap := memory(config)
	limits := []limit{
		{"memory.max", strconv.FormatInt(mem, 10)},
		{"memory.swap.max", strconv.FormatInt(swap, 10)},
		{"cpuset.cpus", cores(config, first, runtime.NumCPU())},
		{"cpu.max", "max " + strconv.Itoa(cpuPeriod)},
	}
	if q := quota(config); q > 0 {
		limits[3].value = strconv.FormatInt(q, 10) + " " + strconv.Itoa(cpuPeriod)
	}
	if u := config["cpuunits"]; u != "" {
		limits = append(limits, limit{"cpu.weight", u})
	}
	return limits
}

// setLimits changes a running container's limits. What LXC made inside the limited
// cgroup is the container's own, but in v1 its cpuset does not grow by itself. Order
// matters (memory before memory-plus-swap or after, outer CPUs before inner or
// after), so what failed is tried a second time.
func (b *Backend) setLimits(vmid int, config map[string]string) error {
	outer := b.opt.Name + "/" + strconv.Itoa(vmid)
	var errs []error
	for range 2 {
		errs = nil
		for _, l := range b.limits.of(config, b.firstCPU(vmid)) {
			errs = append(errs, b.setLimit(outer, l))
			if l.file == "cpuset.cpus" {
				errs = append(errs, b.setLimit(outer+"/ns", l))
			}
		}
	}
	return errors.Join(errs...)
}

func (b *Backend) setLimit(cgroup string, l limit) error {
	controller, _, _ := strings.Cut(l.file, ".")
	return os.WriteFile(filepath.Join(b.limits.dir(controller, cgroup), l.file), []byte(l.value), 0o644)
}
