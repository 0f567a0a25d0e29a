package agent

import (
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// Read lets a test look at the table of calls.
func (a *Agent) Read(look func(*call.Table)) { a.feed.Read(look) }

// Pair makes a certificate for 127.0.0.1 with its key, for tests beside a real PBX.
var Pair = pair

// TLSConfig is what the AMI client takes.
var TLSConfig = (*AMITLS).config

// Gate is what the doors ask.
func (a *Agent) Gate() *gate.Gate { return a.gate }
