package phone_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	boris, err := phone.Listen(phone.Config{User: "102", Tone: 2, Reaction: phone.Reaction{Answer: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer boris.Close()
	anna, err := phone.Listen(phone.Config{User: "101", Name: "Anna", Tone: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer anna.Close()

	call, err := anna.Dial(ctx, "102", phone.At(boris.Addr())) // At: without a PBX between them
	if err != nil {
		log.Fatal(err)
	}
	if err := call.WaitAnswered(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := call.WaitHearsOnly(ctx, boris.Tone()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Anna hears", call.Hearing())
	fmt.Println("and not herself:", call.DoesNotHear(ctx, anna.Tone(), boris.Tone(), 300*time.Millisecond))
	// Output:
	// Anna hears [tone 2 (590 Hz)]
	// and not herself: <nil>
}
