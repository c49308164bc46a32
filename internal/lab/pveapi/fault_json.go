package pveapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// ParseFault reads a fault's JSON, which the control port and pvelab up --faults take: the
// fields as [Fault] names them, durations as text (2s), a guest's vmid as a number or "*".
func ParseFault(text string) (Fault, error) {
	var f Fault
	err := json.Unmarshal([]byte(text), &f)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return Fault{}, fmt.Errorf("cannot use the fault %s: %w", text, err)
	}
	return f, nil
}

type plainFault Fault

// faultJSON is a Fault on the wire: its own fields cover the embedded ones of that name.
type faultJSON struct {
	plainFault
	Guest       vmidJSON `json:"guest,omitempty"`
	Delay       spanJSON `json:"delay,omitempty"`
	Hold        spanJSON `json:"hold,omitempty"`
	LateSSH     spanJSON `json:"late_ssh,omitempty"`
	RebootAfter spanJSON `json:"reboot_after,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{
		plainFault(f), vmidJSON(f.Guest),
		spanJSON(f.Delay), spanJSON(f.Hold), spanJSON(f.LateSSH), spanJSON(f.RebootAfter),
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses a field that it does not know,
// for that would be a fault that never comes.
func (f *Fault) UnmarshalJSON(raw []byte) error {
	var in faultJSON
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return err
	}
	*f = Fault(in.plainFault)
	f.Guest = int(in.Guest)
	f.Delay, f.Hold = time.Duration(in.Delay), time.Duration(in.Hold)
	f.LateSSH, f.RebootAfter = time.Duration(in.LateSSH), time.Duration(in.RebootAfter)
	return nil
}

// spanJSON is a duration in Go's notation.
type spanJSON time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d spanJSON) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *spanJSON) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err == nil && v < 0 {
		err = fmt.Errorf("%s lies in the past", v)
	}
	*d = spanJSON(v)
	return err
}

// vmidJSON is a vmid, or [AnyGuest] as "*".
type vmidJSON int

// MarshalJSON implements [json.Marshaler].
func (v vmidJSON) MarshalJSON() ([]byte, error) {
	if v == AnyGuest {
		return []byte(`"*"`), nil
	}
	return []byte(strconv.Itoa(int(v))), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *vmidJSON) UnmarshalJSON(raw []byte) error {
	if string(raw) == `"*"` {
		*v = AnyGuest
		return nil
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n <= 0 {
		return fmt.Errorf(`guest is a vmid or "*", not %s`, raw)
	}
	*v = vmidJSON(n)
	return nil
}
