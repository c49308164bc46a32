package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"

	"go.yaml.in/yaml/v4"

	"github.com/org/appstack-action/internal/secret"
)

const canary = "canary-7f3a"

type holder struct {
	Open   secret.Value
	closed secret.Value
	ptr    *secret.Value
}

func newHolder() holder {
	v := secret.New(canary)
	return holder{Open: v, closed: v, ptr: &v}
}

func TestValueHidesFromFmt(t *testing.T) {
	v := secret.New(canary)
	h := newHolder()
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "# x", "d", "o", "b", "c", "U", "e", "g", "t", "20s", "-20q", "p", "T"} {
		for name, arg := range map[string]any{
			"value": v, "pointer": &v, "struct": h, "struct pointer": &h,
			"slice": []secret.Value{v}, "map": map[string]secret.Value{"k": v}, "any": []any{v}, "error": fmt.Errorf("%v", v),
		} {
			got := fmt.Sprintf("%"+verb, arg)
			if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
				t.Errorf("%%%s of %s shows the value: %s", verb, name, got)
			}
			if name == "value" && verb != "p" && verb != "T" && got != "***" {
				t.Errorf("%%%s = %q, want ***", verb, got)
			}
		}
	}
	if got := fmt.Sprint(v, " ", &v) + fmt.Sprintln(v); got != "*** ******\n" {
		t.Errorf("Sprint = %q", got)
	}
}

func TestValueHidesFromEncoders(t *testing.T) {
	h := newHolder()
	encoders := map[string]func(b *bytes.Buffer) error{
		"json":     func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(h) },
		"json map": func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(map[secret.Value]int{h.Open: 1}) },
		"xml":      func(b *bytes.Buffer) error { return xml.NewEncoder(b).Encode(h.Open) },
		"yaml":     func(b *bytes.Buffer) error { return yaml.NewEncoder(b).Encode(h) },
		"slog text": func(b *bytes.Buffer) error {
			slog.New(slog.NewTextHandler(b, nil)).Info("m", "k", h.Open, "h", h)
			return nil
		},
		"slog json": func(b *bytes.Buffer) error {
			slog.New(slog.NewJSONHandler(b, nil)).Info("m", "k", h.Open, "h", h)
			return nil
		},
		"template": func(b *bytes.Buffer) error {
			return texttemplate.Must(texttemplate.New("").Parse(`{{.Open}} {{printf "%s %q" .Open .Open}} {{. | printf "%#v"}}`)).Execute(b, h)
		},
		"html": func(b *bytes.Buffer) error {
			return template.Must(template.New("").Parse(`<p title="{{.Open}}">{{.Open}}</p>`)).Execute(b, h)
		},
	}
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := encode(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), canary) || !strings.Contains(b.String(), "***") {
				t.Errorf("got %s", b.String())
			}
		})
	}
}

func TestValueReveal(t *testing.T) {
	var zero secret.Value
	if zero.Reveal() != "" || !zero.IsZero() || fmt.Sprint(zero) != "***" || zero != secret.New("") {
		t.Errorf("the zero Value is not an empty one")
	}
	v := secret.New(canary)
	if v.Reveal() != canary || v.IsZero() {
		t.Errorf("Reveal or IsZero is wrong")
	}
	if again := secret.New(string([]byte(canary))); again != v || !again.Equal(v) || v.Equal(zero) || !reflect.DeepEqual(again, v) || v == zero || reflect.DeepEqual(v, zero) {
		t.Errorf("equality is not that of the texts")
	}
}
