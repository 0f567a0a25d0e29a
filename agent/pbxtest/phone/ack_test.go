package phone

import (
	"fmt"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// asking is a transaction of which it is told that it was answered.
type asking struct {
	sip.ServerTransaction
	answered chan struct{}
	done     chan struct{} // never
}

func (a asking) Respond(*sip.Response) error {
	a.answered <- struct{}{}
	return nil
}

func (a asking) Done() <-chan struct{} { return a.done }

// A PBX that has our answer may change the call at once, and its ACKs may be handled in any order.
func TestACallTakesTheACKOfEachAnswerAlthoughTheyOvertakeOneAnother(t *testing.T) {
	p, err := Listen(Config{User: "100"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	request := func(method sip.RequestMethod, seq uint32) *sip.Request {
		req := sip.NewRequest(method, sip.Uri{User: "100", Host: "127.0.0.1"})
		id := sip.CallIDHeader("call")
		req.AppendHeader(&sip.FromHeader{})
		req.AppendHeader(&sip.ToHeader{})
		req.AppendHeader(&id)
		req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
		return req
	}
	for _, order := range [][]uint32{{1, 2}, {2, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			c, err := p.newCall("call", true, "100", p.Tone())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.finish(Ending{}) })
			got := map[uint32]chan uint32{}
			for _, seq := range []uint32{1, 2} {
				tx := asking{answered: make(chan struct{}, 10)}
				acked := make(chan uint32, 1)
				got[seq] = acked
				go func() {
					ack, err := c.accept(request(sip.INVITE, seq), tx, nil)
					if err != nil {
						t.Error(err)
						acked <- 0
						return
					}
					acked <- ack.CSeq().SeqNo
				}()
				<-tx.answered
			}
			p.onAck(request(sip.ACK, 3), nil) // of nothing
			for _, seq := range order {
				p.onAck(request(sip.ACK, seq), nil)
			}
			for seq, acked := range got {
				if is := <-acked; is != seq { // 0: none until it gave up
					t.Errorf("%d has the ACK of %d", seq, is)
				}
			}
		})
	}
}
