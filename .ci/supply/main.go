// Supply looks after what Earshot is made of. It runs in the root of the module:
//
//	supply licences [-check] PAGE   writes the tables of licences into PAGE, between their marks; -check fails when they are not as they should be
//	supply texts FILE               writes the licences' texts of what is linked into the program, which go with it wherever it goes
//	supply vulnerabilities [-db DB] fails when a known vulnerability is in what the program calls; DB is a database's address (https://vuln.go.dev)
//	                                or the folder of a checkout of github.com/golang/vulndb
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// Whatever is not listed here is looked at by a person before it is linked: these may all be distributed within a program under Apache-2.0, as long
// as their texts go with it.
var mayBeLinked = map[string]bool{
	"Apache-2.0": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "BSD-0-Clause": true, "ISC": true, "MIT": true, "Unlicense": true, "public domain (SQLite)": true,
}

const program = "./cmd/earshot"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say licences, texts or vulnerabilities")
	}
	set := flag.NewFlagSet(args[0], flag.ContinueOnError)
	check := set.Bool("check", false, "change nothing, fail when the page is not as it should be")
	db := set.String("db", "https://vuln.go.dev", "the address of a vulnerability database, or the folder of a checkout of github.com/golang/vulndb")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "licences" && set.NArg() == 1:
		return licences(ctx, set.Arg(0), *check)
	case args[0] == "texts" && set.NArg() == 1:
		return texts(ctx, set.Arg(0))
	case args[0] == "vulnerabilities" && set.NArg() == 0:
		return vulnerabilities(ctx, *db)
	}
	return fmt.Errorf("%q is not understood: say licences PAGE, texts FILE or vulnerabilities", args)
}
