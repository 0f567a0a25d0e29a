package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/earshot-pbx/earshot/ami"
)

// A server with one user and one action beside the session's own.
func ExampleServer() {
	server, err := ami.NewServer(ami.ServerConfig{
		Authenticator: ami.AuthenticatorFunc(func(_ context.Context, c *ami.Credentials) (any, error) {
			secret, known := map[string]ami.Secret{"panel": "from a file"}[c.Username]
			if !known {
				secret = "nobody's" // compared all the same, so that it takes as long
			}
			if !c.Prove(secret) || !known {
				return nil, errors.New("unknown user or wrong secret")
			}
			return c.Username, nil
		}),
		Handler: ami.HandlerFunc(func(_ context.Context, s *ami.Session, m *ami.Message) {
			switch string(m.Action()) {
			case "CoreShowChannels":
				l := s.List(m, "Channels will follow")
				l.Row(ami.NewEvent("CoreShowChannel", 0).Append("Channel", "PJSIP/101-00000001"))
				_ = l.Complete(ami.NewEvent("CoreShowChannelsComplete", 0)) // an error: the client is gone
			case "Command":
				_ = s.Denied(m)
			default:
				_ = s.Unknown(m)
			}
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // tls.NewListener around it makes it a TLS server
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()

	c, err := ami.Dial(ctx, ami.Config{Addr: l.Addr().String(), Username: "panel", Secret: "from a file"})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, final, err := c.List(ctx, ami.NewAction("CoreShowChannels"))
	fmt.Println(rows[0].Get("Channel"), final.Get("ListItems"), err)
	_, err = c.Do(ctx, ami.NewAction("Command").Append("Command", "core stop now"))
	fmt.Println(err)
	c.Close()

	stop()
	fmt.Println(<-ended)
	// Output:
	// PJSIP/101-00000001 1 <nil>
	// ami: Command refused: "Permission denied"
	// <nil>
}

// One event for many sessions is encoded once.
func ExamplePrepare() {
	hangup, err := ami.Prepare(ami.NewEvent("Hangup", ami.ClassCall).Append("Channel", "PJSIP/101-00000001").Append("Cause", "16"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var sessions []*ami.Session // from ServerConfig.OnLogin
	for _, s := range sessions {
		if !s.Send(hangup) {
			continue // it has ended: take it off the list
		}
	}
	fmt.Println(hangup.Len(), "bytes")

	_, err = ami.Prepare(ami.NewEvent("Hangup", ami.ClassCall).Append("Channel", "a\r\n\r\nEvent: FullyBooted"))
	fmt.Println(err)
	// Output:
	// 78 bytes
	// ami: field 2 has a CR
}

func ExampleParseMask() {
	mask, _ := ami.ParseMask("call,agent")
	fmt.Println(mask)
	_, ok := ami.ParseMask("")
	fmt.Println(ok)
	// Output:
	// call,agent,all
	// false
}
