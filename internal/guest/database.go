package guest

import (
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// databaseSQL returns what psql is to read, with the variables db, owner, login
// and encoding set on its command line. The password is nowhere else: it comes in a
// variable here, and the server is told not to log what holds it.
func databaseSQL(db machine.Database) string {
	var b strings.Builder
	b.WriteString(`SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SELECT DISTINCT format('CREATE ROLE %I', role) FROM unnest(ARRAY[:'owner', :'login']) role
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE :"login" LOGIN;
SELECT format('GRANT %I TO %I', :'owner', :'login') WHERE :'owner' <> :'login' \gexec
`)
	if !db.Password.IsZero() {
		b.WriteString(`\set password ` + psqlQuote(db.Password.Reveal()) + `
ALTER ROLE :"login" PASSWORD :'password';
`)
	}
	// The C locale goes with every encoding, another one with its own alone.
	b.WriteString(`SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', :'db', :'owner') ||
  CASE WHEN :'encoding' = '' THEN '' ELSE format(' ENCODING %L', :'encoding') END ||
  CASE WHEN upper(:'encoding') IN ('', 'UTF8', 'UTF-8') THEN '' ELSE ' LOCALE ''C''' END
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
ALTER DATABASE :"db" OWNER TO :"owner";
\connect :"db"
`)
	for _, e := range db.Extensions {
		b.WriteString(`\set extension ` + psqlQuote(e) + `
CREATE EXTENSION IF NOT EXISTS :"extension";
`)
	}
	if !db.Password.IsZero() {
		// As the app does it: what is wrong with it is to be known now.
		b.WriteString(`\setenv PGPASSWORD :password
\connect :"db" :"login" 127.0.0.1 5432
`)
	}
	return b.String()
}

// psqlQuote returns s as an argument of one of psql's own commands, where a quoted
// one knows backslash sequences (psql(1), Meta-Commands).
func psqlQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + "'"
}
