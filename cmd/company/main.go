// Command company prints the policy of a company that it makes up, to try Earshot on and to measure it with:
//
//	go run ./cmd/company -n 10000 > big.yaml
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/earshot-pbx/earshot/policy/company"
)

func main() {
	n := flag.Int("n", 10000, "how many employees")
	seed := flag.Uint64("seed", 1, "another number makes another company of that size")
	flag.Parse()
	if _, err := os.Stdout.Write(company.New(*n, *seed).YAML()); err != nil {
		fmt.Fprintln(os.Stderr, "company:", err)
		os.Exit(1)
	}
}
