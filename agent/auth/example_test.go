package auth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// A token is made once and kept as a hash; who presents it is the employee that it was made for.
func Example() {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tokens.yaml")

	token, hash := auth.NewToken() // the token goes to anna, and nowhere else
	if err := auth.AddToken(path, auth.Entry{Employee: "anna", Hash: hash, Label: "desk"}); err != nil {
		fmt.Println(err)
		return
	}

	tokens, err := auth.OpenTokens(path, auth.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	subject, err := tokens.Authenticate(context.Background(), auth.Credential{Token: token})
	fmt.Println(subject.Employee(), subject.Label(), err)
	_, err = tokens.Authenticate(context.Background(), auth.Credential{Token: "guess"})
	fmt.Println(errors.Is(err, auth.ErrDenied))
	// Output:
	// anna desk <nil>
	// true
}
