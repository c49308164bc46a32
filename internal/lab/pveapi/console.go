package pveapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// console is a terminal that termproxy prepared and that waits for its websocket.
type console struct {
	vmid   int
	user   string
	ticket string
	shell  bool
	task   *task
	taken  chan struct{}
}

// termProxy is POST …/termproxy: it opens a port and a ticket for the websocket.
func termProxy(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	port := 5900
	for c.webs[strconv.Itoa(port)] != nil {
		port++
	}
	con := &console{vmid: g.VMID, user: c.who.authuser, shell: g.Conf.Current["cmode"] == "shell", taken: make(chan struct{})}
	con.ticket = c.ticket("PVEVNC", con.user, vncPath(g.VMID, port))
	c.webs[strconv.Itoa(port)] = con
	upid := c.Server.fork(c.node(), "vzproxy", itoa(g.VMID), con.user, func(t *task) error { return c.proxyTask(t, con, port) })
	con.task = c.tasks[upid]
	return map[string]any{"port": port, "ticket": con.ticket, "upid": upid, "user": con.user}, nil
}

func vncPath(vmid, port int) string { return fmt.Sprintf("%s:%d", vmPath(vmid), port) }

// proxyTask lives until the console is closed, or ten seconds if nobody comes.
func (c *call) proxyTask(t *task, con *console, port int) error {
	t.log("starting termproxy for CT %d", con.vmid)
	defer delete(c.webs, strconv.Itoa(port))
	var err error
	c.unlocked(func() {
		wait := time.NewTimer(10 * time.Second)
		defer wait.Stop()
		select {
		case <-con.taken:
			<-t.ctx.Done()
		case <-wait.C:
			err = fail("connection timed out")
		case <-t.ctx.Done():
		}
	})
	return err
}

// upgrade is a method's result that takes over the connection.
type upgrade struct {
	serve func(http.ResponseWriter, *http.Request)
}

// consoleSocket is GET …/vncwebsocket.
func consoleSocket(c *call) (any, error) {
	port, vmid := c.p.int("port", 0), c.vmid()
	con := c.webs[strconv.Itoa(port)]
	who, ok := c.ticketUser("PVEVNC", c.p.str("vncticket"), vncPath(vmid, port))
	if !ok || con == nil || con.vmid != vmid || who != c.who.authuser {
		return nil, denied("invalid PVEVNC ticket")
	}
	return upgrade{func(w http.ResponseWriter, r *http.Request) { c.serveConsole(con, w, r) }}, nil
}

// serveConsole speaks termproxy's protocol: a line "user:ticket", then "OK"; after that
// "0:LENGTH:data" is typed, "1:COLS:ROWS:" resizes, "2" keeps alive.
func (s *Server) serveConsole(con *console, w http.ResponseWriter, r *http.Request) {
	w.Header().Del("Connection")
	up := websocket.Upgrader{Subprotocols: []string{"binary"}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer ws.Close()
	defer con.task.stop()
	_, hello, err := ws.ReadMessage()
	if err != nil || strings.TrimSpace(string(hello)) != con.user+":"+con.ticket {
		return
	}
	close(con.taken)
	tty, err := s.opt.Backend.Console(con.task.ctx, con.vmid, con.shell)
	if err != nil {
		s.opt.Log.Error("no console", "vmid", con.vmid, "err", err)
		return
	}
	defer tty.Close()
	if ws.WriteMessage(websocket.BinaryMessage, []byte("OK")) != nil {
		return
	}
	go func() {
		defer ws.Close()
		_, _ = io.Copy(wsWriter{ws}, tty) // ends with either side
	}()
	typed(con.task.ctx, ws, tty)
}

type wsWriter struct{ *websocket.Conn }

func (w wsWriter) Write(b []byte) (int, error) {
	return len(b), w.WriteMessage(websocket.BinaryMessage, b)
}

// typed carries keystrokes to the terminal until the client leaves.
func typed(ctx context.Context, ws *websocket.Conn, tty io.Writer) {
	var buf []byte
	for ctx.Err() == nil {
		_, msg, err := ws.ReadMessage()
		if err != nil {
			return
		}
		buf = append(buf, msg...)
		for {
			data, rest, ok := termFrame(buf)
			if !ok {
				break
			}
			buf = rest
			if _, err := tty.Write(data); err != nil {
				return
			}
		}
	}
}

// termFrame cuts one frame off the stream; data is what it types. ok is false until a
// frame is complete.
func termFrame(b []byte) (data, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	switch b[0] {
	case '0':
		parts := bytes.SplitN(b, []byte(":"), 3)
		if len(parts) < 3 {
			return nil, b, false
		}
		n, err := strconv.Atoi(string(parts[1]))
		if err != nil || n < 0 {
			return nil, nil, true // nonsense is dropped
		}
		if len(parts[2]) < n {
			return nil, b, false
		}
		return parts[2][:n], parts[2][n:], true
	case '1':
		parts := bytes.SplitN(b, []byte(":"), 4)
		if len(parts) < 4 {
			return nil, b, false
		}
		return nil, parts[3], true
	}
	return nil, b[1:], true
}

// checkVNCTicket is POST /access/vncticket, by which termproxy checks who comes.
func checkVNCTicket(c *call) (any, error) {
	path, authid := c.p.str("path"), c.p.str("authid")
	who, ok := c.ticketUser("PVEVNC", c.p.str("vncticket"), path+":"+c.p.str("port"))
	if !ok || who != authid {
		return nil, &apiError{status: http.StatusUnauthorized, msg: "permission denied - invalid PVEVNC ticket"}
	}
	have := c.permissions(authid, path)
	for _, p := range c.p.list("privs") {
		if _, ok := have[p]; !ok {
			return nil, fail("no permission (%s, %s)", path, c.p.str("privs"))
		}
	}
	return nil, nil
}
