package ami_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

// asterisk stands in for a PBX so that the examples run anywhere: it accepts any log-in and answers what the examples
// ask. Use Config.Addr instead of Config.DialContext for a real one.
func asterisk(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		fmt.Fprint(theirs, "Asterisk Call Manager/9.0.0\r\n")
		r := ami.NewReader(theirs, ami.Limits{})
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			head := "\r\nActionID: " + m.Get("ActionID") + "\r\n"
			switch string(m.Action()) {
			case "Challenge":
				fmt.Fprint(theirs, "Response: Success"+head+"Challenge: 159283746\r\n\r\n")
			case "Login":
				fmt.Fprint(theirs, "Response: Success"+head+"Message: Authentication accepted\r\n\r\n"+
					"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n")
			case "CoreShowChannels":
				fmt.Fprint(theirs, "Response: Success"+head+"EventList: start\r\n\r\n"+
					"Event: CoreShowChannel"+head+"Channel: PJSIP/101-00000001\r\nApplication: Dial\r\n\r\n"+
					"Event: CoreShowChannel"+head+"Channel: PJSIP/102-00000002\r\nApplication: AppDial\r\n\r\n"+
					"Event: CoreShowChannelsComplete"+head+"EventList: Complete\r\nListItems: 2\r\n\r\n")
			case "Hangup":
				fmt.Fprint(theirs, "Response: Error"+head+"Message: No such channel\r\n\r\n")
			default:
				fmt.Fprint(theirs, "Response: Success"+head+"\r\n")
			}
		}
	}()
	return ours, nil
}

func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := ami.Dial(ctx, ami.Config{
		DialContext: asterisk, // Addr: "127.0.0.1:5038"
		Username:    "earshot",
		Secret:      "from a file",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Greeting())

	_, err = c.Do(ctx, ami.NewAction("Hangup").Append("Channel", "PJSIP/101-00000009"))
	if refused := new(ami.RefusedError); errors.As(err, &refused) {
		fmt.Println("refused:", refused.Message)
	}
	// Output:
	// Asterisk Call Manager/9.0.0
	// refused: No such channel
}

func ExampleClient_List() {
	ctx := context.Background()
	c, err := ami.Dial(ctx, ami.Config{DialContext: asterisk, Username: "earshot"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	rows, final, err := c.List(ctx, ami.NewAction("CoreShowChannels"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range rows {
		fmt.Println(row.Get("Channel"), row.Get("Application"))
	}
	fmt.Println(final.Get("ListItems"), "channels")
	// Output:
	// PJSIP/101-00000001 Dial
	// PJSIP/102-00000002 AppDial
	// 2 channels
}

func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	booted := make(chan struct{}, 1)
	err := ami.Run(ctx, ami.Config{
		DialContext: asterisk,
		Username:    "earshot",
		Events:      "call,system",
		OnEvent: func(m *ami.Message) error { // in order, one at a time; m is valid until it returns
			if string(m.Event()) == "FullyBooted" {
				booted <- struct{}{}
			}
			return nil
		},
		OnDown: func(cause error, retry time.Duration) {
			fmt.Println("down:", cause, "again in", retry)
		},
	}, func(ctx context.Context, c *ami.Client) error {
		fmt.Println("connected") // here: ask for the state that the events change
		<-booted
		cancel()
		return nil
	})
	fmt.Println(err)
	// Output:
	// connected
	// context canceled
}

func ExampleReader() {
	stream := "Event: Newstate\r\nPrivilege: call,all\r\nChannel: PJSIP/101-00000001\r\nChannelStateDesc: Ringing\r\n\r\n" +
		"Event: UserEvent\r\nText: a\nEvent: Hangup\r\n\r\n"
	r := ami.NewReader(strings.NewReader(stream), ami.Limits{})
	for {
		m, err := r.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, %s\n", m.Event(), m.Irregular())
		for i := range m.Len() {
			name, value := m.Field(i)
			fmt.Printf("  %s = %s\n", name, value)
		}
	}
	// Output:
	// Newstate, regular
	//   Event = Newstate
	//   Privilege = call,all
	//   Channel = PJSIP/101-00000001
	//   ChannelStateDesc = Ringing
	// UserEvent, bare LF
	//   Event = UserEvent
	//   Text = a
	//   Event = Hangup
}

func ExampleWriter() {
	w := ami.NewWriter(os.Stdout)
	err := w.Write(ami.NewAction("Redirect").Append("Channel", "PJSIP/101-00000001\r\nExten: 999"))
	fmt.Println(err)
	// Output: ami: field 1 has a CR
}

func ExampleMessage_String() {
	m := ami.NewAction("Login").Append("Username", "earshot").Append("Secret", "s3cret")
	fmt.Println(m)
	// Output: {Action: "Login", Username: [7 bytes], Secret: [6 bytes]}
}
