package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// A foreign system is asked once; its answer is remembered, a miss too.
func ExampleMemory_Fill() {
	c := cache.NewMemory(cache.Options{})
	clients := cache.Table{Name: "client", TTL: 10 * time.Minute, MissTTL: time.Minute, Jitter: 0.1}
	ask := func(context.Context) (cache.Entry, error) {
		fmt.Println("asking the CRM")
		return cache.Entry{Value: "Vera, of anna", Found: true}, nil
	}
	for range 2 {
		e, err := c.Fill(context.Background(), clients, "+79161234567", ask)
		fmt.Println(e.Found, e.Value, err)
	}
	// Output:
	// asking the CRM
	// true Vera, of anna <nil>
	// true Vera, of anna <nil>
}

// A decision on the overlay of the generation in force: what is not known, or not known to be fresh, denies.
func ExampleOverlay() {
	const generation, fresh = 7, 3 * time.Second
	c := cache.NewMemory(cache.Options{})
	may := func(employee, target string) error {
		o, age := c.Overlay(generation)
		switch {
		case age > fresh:
			return errors.New("refused: the overlay cannot be verified")
		case o.Excluded(employee, target):
			return errors.New("refused: excluded")
		}
		return nil
	}
	fmt.Println(may("anna", "boris"))
	o, err := cache.NewOverlay(generation, map[string]cache.Person{"anna": {Except: []string{"boris"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.PutOverlay(context.Background(), o); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(may("anna", "boris"))
	fmt.Println(may("anna", "vera"))
	// Output:
	// refused: the overlay cannot be verified
	// refused: excluded
	// <nil>
}
