// Package secret keeps secret values out of everything that people and machines
// read: logs, comments, summaries, errors and diffs.
//
// It does so twice over. A [Value] prints as *** however it is formatted or
// encoded; only [Value.Reveal] gives the text, so that every place which needs it
// can be found by that name. A [Redactor] knows every value of the run and removes
// it from text that others wrote, such as a build's output on the guest, also when
// the value is base64, URL- or JSON-escaped there, or comes in two pieces.
//
//	var hide secret.Redactor
//	if err := hide.Add(secret.New(password)); err != nil {
//		return err
//	}
//	log := hide.Writer(os.Stderr)
//	defer log.Close()
package secret
