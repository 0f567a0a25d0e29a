package main

import (
	"context"
	"fmt"
	"net"
)

func listen(addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

// invite tells what there is to try.
func (d *demo) invite(string) {}

// live keeps customers calling until ctx ends.
func (d *demo) live(ctx context.Context) error {
	<-ctx.Done()
	fmt.Println("\nending")
	return ctx.Err()
}
