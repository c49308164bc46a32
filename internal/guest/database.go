package guest

import (
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// databaseSQL returns what psql is to read, with the variables db, role and
// encoding set on its command line. The password is nowhere else: it comes in a
// variable here, and the server is told not to log what holds it.
func databaseSQL(db machine.Database) string {
	var b strings.Builder
	b.WriteString(`SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
`)
	if !db.Password.IsZero() {
		b.WriteString(`\set password ` + psqlQuote(db.Password.Reveal()) + `
ALTER ROLE :"role" LOGIN PASSWORD :'password';
`)
	}
	b.WriteString(`SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', :'db', :'role') ||
  CASE WHEN :'encoding' = '' THEN '' ELSE format(' ENCODING %L', :'encoding') END
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
ALTER DATABASE :"db" OWNER TO :"role";
\connect :"db"
`)
	for _, e := range db.Extensions {
		b.WriteString(`\set extension ` + psqlQuote(e) + `
CREATE EXTENSION IF NOT EXISTS :"extension";
`)
	}
	return b.String()
}

// psqlQuote returns s as an argument of one of psql's own commands, where a quoted
// one knows backslash sequences (psql(1), Meta-Commands).
func psqlQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + "'"
}
