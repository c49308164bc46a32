package pve

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
	"github.com/org/appstack-action/internal/lab/template"
)

// realVM is a lab's backend whose virtual machine is one: QEMU with a kernel, Debian's
// cloud-init and qemu-guest-agent, and the cloud-init drive that Proxmox would make. What
// it does not do, the backend in memory does. Its network is QEMU's own: the guest is
// 10.0.2.15, and reaches nobody.
type realVM struct {
	*membackend.Backend
	machine template.Machine
	accel   string // kvm or tcg
	dir     string
	port    int // of this machine, which leads to the guest's SSH

	mu    sync.Mutex // one question to the agent at a time
	drive map[string]string
	qemu  *exec.Cmd
	calls int
}

var _ pveapi.Machines = (*realVM)(nil)

// Insert implements [pveapi.Machines].
func (v *realVM) Insert(ctx context.Context, vmid int, drive map[string]string) error {
	v.drive = drive
	return v.Backend.Insert(ctx, vmid, drive)
}

// burn makes the ISO image of the drive with Proxmox's own arguments (qemu-server,
// PVE::QemuServer::Cloudinit::commit_cloudinit_disk).
func (v *realVM) burn() (string, error) {
	files, iso := filepath.Join(v.dir, "cidata"), filepath.Join(v.dir, "cidata.iso")
	err := os.MkdirAll(files, 0o700)
	for name, text := range v.drive {
		err = errors.Join(err, os.WriteFile(filepath.Join(files, name), []byte(text), 0o600))
	}
	if err != nil {
		return "", err
	}
	out, err := exec.Command("genisoimage", "-quiet", "-iso-level", "3", "-J", "-R", "-V", "cidata", "-o", iso, files).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("genisoimage: %w: %s", err, out)
	}
	return iso, nil
}

// Start implements [pveapi.Backend].
func (v *realVM) Start(ctx context.Context, vmid int, config map[string]string, progress func(string)) error {
	iso, err := v.burn()
	if err != nil {
		return err
	}
	mac := ""
	for part := range strings.SplitSeq(config["net0"], ",") {
		if value, ok := strings.CutPrefix(part, "hwaddr="); ok {
			mac = value
		}
	}
	v.qemu = exec.Command("qemu-system-x86_64", "-accel", v.accel, "-machine", "q35", "-cpu", "max", "-m", "1024", "-smp", "2",
		"-display", "none", "-serial", "file:"+v.console(), "-monitor", "none", "-no-reboot",
		"-kernel", v.machine.Kernel, "-initrd", v.machine.Initrd, "-append", "root=/dev/vda rw console=ttyS0",
		"-drive", "file="+v.machine.Disk+",if=virtio,format=raw,snapshot=on",
		"-device", "virtio-scsi-pci,id=scsi", "-drive", "file="+iso+",if=none,id=cloudinit,media=cdrom,readonly=on", "-device", "scsi-cd,drive=cloudinit,bus=scsi.0",
		"-netdev", fmt.Sprintf("user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:%d-:22", v.port), "-device", "virtio-net-pci,netdev=n0,mac="+mac,
		"-device", "virtio-serial", "-chardev", "socket,path="+v.socket()+",server=on,wait=off,id=agent",
		"-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0")
	said, err := os.Create(filepath.Join(v.dir, "qemu.log"))
	if err != nil {
		return err
	}
	v.qemu.Stdout, v.qemu.Stderr = said, said
	if err := v.qemu.Start(); err != nil {
		return err
	}
	return v.Backend.Start(ctx, vmid, config, progress)
}

func (v *realVM) console() string { return filepath.Join(v.dir, "console.log") }
func (v *realVM) socket() string  { return filepath.Join(v.dir, "agent.sock") }

// end kills QEMU.
func (v *realVM) end() {
	if v.qemu != nil && v.qemu.Process != nil {
		_ = v.qemu.Process.Kill()
		_ = v.qemu.Wait() // it was killed
	}
}

// Run implements [pveapi.Machines] by the agent's own commands: the API's file-read is
// guest-file-open, -read and -close (qemu-server, PVE::API2::Qemu::Agent).
func (v *realVM) Run(ctx context.Context, _ int, script string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	conn, err := net.DialTimeout("unix", v.socket(), time.Second)
	if err != nil {
		return nil, pveapi.ErrNoAgent
	}
	defer conn.Close()
	v.calls++
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // a socket has one
	a := &agentConn{conn, bufio.NewReader(conn)}
	if err := a.sync(v.calls); err != nil {
		return nil, pveapi.ErrNoAgent
	}
	file, ok := strings.CutPrefix(script, "cat -- '")
	if !ok {
		return nil, a.ask("guest-ping", nil, nil)
	}
	return a.read(strings.TrimSuffix(file, "'"))
}

// agentConn is a connection to qemu-guest-agent.
type agentConn struct {
	io.Writer
	lines *bufio.Reader
}

// answer is a line of the agent's.
type agentAnswer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

func (a *agentConn) send(command string, args map[string]any) error {
	line, err := json.Marshal(map[string]any{"execute": command, "arguments": args})
	if err == nil {
		_, err = a.Write(append(line, '\n'))
	}
	return err
}

// sync passes the answers to questions that nobody waits for any more.
func (a *agentConn) sync(id int) error {
	if err := a.send("guest-sync", map[string]any{"id": id}); err != nil {
		return err
	}
	for {
		line, err := a.lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		var answer agentAnswer
		if json.Unmarshal(line, &answer) == nil && string(answer.Return) == fmt.Sprint(id) {
			return nil
		}
	}
}

func (a *agentConn) ask(command string, args map[string]any, into any) error {
	if args == nil {
		args = map[string]any{}
	}
	if err := a.send(command, args); err != nil {
		return err
	}
	line, err := a.lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var answer agentAnswer
	if err := json.Unmarshal(line, &answer); err != nil {
		return fmt.Errorf("the agent says %q: %w", line, err)
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Desc)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Return, into)
}

func (a *agentConn) read(file string) ([]byte, error) {
	var handle int
	if err := a.ask("guest-file-open", map[string]any{"path": file, "mode": "rb"}, &handle); err != nil {
		return nil, err
	}
	var chunk struct {
		Text string `json:"buf-b64"`
	}
	err := a.ask("guest-file-read", map[string]any{"handle": handle, "count": 1 << 20}, &chunk)
	err = errors.Join(err, a.ask("guest-file-close", map[string]any{"handle": handle}, nil))
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(chunk.Text)
}
