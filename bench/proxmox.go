package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// These are for guests that appstack has nothing to do with.

// pve makes a call of the lab's Proxmox API and waits for the task that it starts.
func (r *rig) pve(ctx context.Context, method, path string, form url.Values) error {
	answer, err := r.ask(ctx, method, path, form)
	if err != nil {
		return err
	}
	upid, _ := answer.(string)
	if !strings.HasPrefix(upid, "UPID:") {
		return nil
	}
	_, err = r.lab.PVE.WaitTask(ctx, upid)
	return err
}

func (r *rig) ask(ctx context.Context, method, path string, form url.Values) (any, error) {
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.lab.Info.URL+"/api2/json/nodes/pve1/lxc"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "PVEAPIToken="+r.lab.Info.Token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, text)
	}
	if err != nil {
		return nil, err
	}
	var answer struct{ Data any }
	err = json.Unmarshal(text, &answer)
	return answer.Data, err
}

func (r *rig) client() (*http.Client, error) {
	text, err := os.ReadFile(r.lab.Info.Certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: time.Minute}, nil
}

func (r *rig) stop(ctx context.Context, e env) error {
	return r.pve(ctx, http.MethodPost, fmt.Sprintf("/%d/status/shutdown", e.vmid), nil)
}

func (r *rig) start(ctx context.Context, e env) error {
	return r.pve(ctx, http.MethodPost, fmt.Sprintf("/%d/status/start", e.vmid), nil)
}

// clone makes a guest like another, with an address of its own.
func (r *rig) clone(ctx context.Context, from, to env) error {
	form := url.Values{"newid": {fmt.Sprint(to.vmid)}, "hostname": {to.project + "-" + to.name}, "full": {"1"}}
	if err := r.pve(ctx, http.MethodPost, fmt.Sprintf("/%d/clone", from.vmid), form); err != nil {
		return err
	}
	net := url.Values{"net0": {fmt.Sprintf("name=eth0,bridge=vmbr0,ip=%s,gw=%s", to.addr, r.lab.Gateway())}}
	return r.pve(ctx, http.MethodPut, fmt.Sprintf("/%d/config", to.vmid), net)
}

// trustLater notes the host key of a guest that is about to answer.
func (r *rig) trustLater(ctx context.Context, e env) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := r.trust(ctx, e)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
