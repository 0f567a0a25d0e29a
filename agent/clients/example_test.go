package clients_test

import (
	"fmt"

	"github.com/earshot-pbx/earshot/agent/clients"
)

// A client rings; the PBX tells his number in the national form.
func Example() {
	directory, err := clients.Parse("clients.yaml", []byte(`
region: RU
clients:
  - {number: "+7 916 123-45-67", name: Acme, responsible: anna}
`), clients.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, ok := directory.Lookup("89161234567")
	fmt.Println(client.Responsible, ok)
	_, ok = directory.Lookup("89160000000")
	fmt.Println(ok)
	fmt.Println(client) // on its way into a log
	// Output:
	// anna true
	// false
	// [client]
}
