package vault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

func Example() {
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// Once, by a person: an identity, the recipients, a secret.
	identity := filepath.Join(dir, "identity.txt")
	public, err := vault.NewIdentity(identity, false, time.Now())
	if err != nil {
		panic(err)
	}
	v := &vault.Vault{Dir: dir}
	if _, err := v.WriteRecipients([]vault.Recipient{public}); err != nil {
		panic(err)
	}
	source, err := vault.FindIdentity("", identity, os.Getenv)
	if err != nil {
		panic(err)
	}
	if v, err = vault.At(dir); err != nil {
		panic(err)
	}
	if v.Identities, err = vault.ParseIdentities(nil, source); err != nil {
		panic(err)
	}
	if err := v.Set("secrets.age", "shop.db.password", secret.New("correct horse")); err != nil {
		panic(err)
	}

	// In each run: the values, hidden from all that is written.
	v.Hide = new(secret.Redactor)
	secrets, err := v.Open("secrets.age")
	if err != nil {
		panic(err)
	}
	password, ok := secrets.Get("shop.db.password")
	fmt.Println(password, ok, len(password.Reveal()))
	fmt.Println(v.Hide.String("the password is correct horse"))
	// Output:
	// *** true 13
	// the password is ***
}
