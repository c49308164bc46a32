package pveapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func firstLineOf(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (r *replay) compareType(want *string, h http.Header) error {
	got := h.Get("Content-Type")
	if want == nil {
		if _, there := h["Content-Type"]; there {
			return fmt.Errorf("content type %q, want none", got)
		}
		return nil
	}
	if *want != got {
		return fmt.Errorf("content type %q, want %q", got, *want)
	}
	return nil
}

func (r *replay) compareBody(note string, want, got any) error {
	if strings.HasPrefix(note, "trimmed") {
		return r.compareTrimmed(want, got)
	}
	if w, ok := want.(string); ok && strings.HasPrefix(w, "<!DOCTYPE html>") {
		if g, ok := got.(string); !ok || !strings.HasPrefix(g, "<!DOCTYPE html>") {
			return fmt.Errorf("want a page, got %v", got)
		}
		return nil
	}
	if w, ok := want.(string); ok && strings.Contains(w, "Creating SSH host key") {
		g, _ := got.(string)
		return r.m.log(strings.Split(w, "\n"), strings.Split(g, "\n"))
	}
	if w, g := logOf(want), logOf(got); len(w) > 0 && len(w) == len(g) {
		return r.m.log(w, g)
	}
	return r.m.value("", want, got)
}

// logOf is the text of a task's log as the API pages it.
func logOf(body any) []string {
	obj, _ := body.(map[string]any)
	rows, _ := obj["data"].([]any)
	var lines []string
	for _, r := range rows {
		row, _ := r.(map[string]any)
		text, ok := row["t"].(string)
		if !ok || len(row) != 2 {
			return nil
		}
		lines = append(lines, text)
	}
	return lines
}

// compareTrimmed compares the rows that the record kept of a long list.
func (r *replay) compareTrimmed(want, got any) error {
	w, _ := want.(map[string]any)
	g, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, got %v", got)
	}
	rows, _ := w["data"].([]any)
	have, _ := g["data"].([]any)
	for i, row := range rows {
		if i >= len(have) {
			return fmt.Errorf("want at least %d rows, got %d", len(rows), len(have))
		}
		if err := r.m.value(fmt.Sprintf("data[%d]", i), row, have[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) compareTask(st step, got any) error {
	if st.Task == nil {
		return nil
	}
	obj, _ := got.(map[string]any)
	upid, _ := obj["data"].(string)
	if upid == "" {
		return fmt.Errorf("no task")
	}
	if st.Task.Note != "" {
		r.pending = append(r.pending, upid)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	status, err := r.waitImpatiently(ctx, upid, st.Request.Form["timeout"] != "")
	if err != nil {
		return err
	}
	want, _ := st.Task.Status["exitstatus"].(string)
	if err := r.m.text(want, status); err != nil {
		return fmt.Errorf("exit status: %w", err)
	}
	return r.m.log(st.Task.Log, r.TaskLog(upid))
}
