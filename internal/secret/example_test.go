package secret_test

import (
	"fmt"
	"os"

	"github.com/org/appstack-action/internal/secret"
)

func ExampleValue() {
	password := secret.New("correct horse")
	fmt.Println("connecting with", password)
	fmt.Println(len(password.Reveal()))
	// Output:
	// connecting with ***
	// 13
}

func ExampleRedactor_Writer() {
	var hide secret.Redactor
	if err := hide.Add(secret.New("correct horse")); err != nil {
		fmt.Println(err)
	}
	log := hide.Writer(os.Stdout)
	fmt.Fprint(log, "password: correct ")
	fmt.Fprintln(log, "horse, URL: https://shop:correct%20horse@db.lan/")
	fmt.Fprintln(log, "in base64: Y29ycmVjdCBob3JzZQ==")
	_ = log.Close()
	// Output:
	// password: ***, URL: https://shop:***@db.lan/
	// in base64: ***
}
