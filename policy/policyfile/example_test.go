package policyfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func ExampleFile_Watch() {
	dir, err := os.MkdirTemp("", "policy")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.yaml")
	_ = os.WriteFile(path, []byte("version: 1\nemployees: {anna: {observe: true}}\n"), 0o600)

	changed := make(chan *policy.Set, 1)
	file, err := policyfile.Open([]string{path}, policyfile.Options{OnChange: func(s *policy.Set, err error) { changed <- s }})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- file.Watch(ctx) }()

	_ = os.WriteFile(path+".new", []byte("version: 1\nemployees: {anna: {}, boris: {}}\n"), 0o600)
	_ = os.Rename(path+".new", path)
	<-changed
	fmt.Println("generation", file.Current().Generation(), "with", file.Current().Len(), "employees")
	cancel()
	fmt.Println(<-done)
	// Output:
	// generation 2 with 2 employees
	// <nil>
}
