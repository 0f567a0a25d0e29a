package fanout

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// webChunk is about what one write hands over at the HTTP door.
const webChunk = 32 << 10

// broadcaster sends each message to all who are connected. One that batches has a goroutine for each connection that writes all frames that wait in one
// go; the other hands each message to the library, as its examples do, which writes it.
type broadcaster struct {
	addr    string
	batches bool
	mu      sync.Mutex
	out     []chan []byte
	all     chan struct{} // closed when everybody is there
}

func newBroadcaster(batches bool, later func(func())) (*broadcaster, error) {
	b := &broadcaster{batches: batches, all: make(chan struct{})}
	var err error
	b.addr, err = serve(&http.Server{Handler: b, ReadHeaderTimeout: time.Minute}, later)
	later(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, queue := range b.out {
			close(queue)
		}
	})
	return b, err
}

func (b *broadcaster) join() chan []byte {
	queue := make(chan []byte, 512)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out = append(b.out, queue); len(b.out) == Panels {
		close(b.all)
	}
	return queue
}

func (b *broadcaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !b.batches {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		ctx := conn.CloseRead(r.Context())
		for message := range b.join() {
			if conn.Write(ctx, websocket.MessageText, message) != nil {
				return
			}
		}
		return
	}
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	if errors.Join(err, rw.Flush()) != nil {
		return
	}
	drain(b.join(), webChunk, func(frames []byte) error { _, err := conn.Write(frames); return err })
}

// send makes JSON of a message, and hands it to all.
func (b *broadcaster) send(m *gate.Message) {
	data, err := json.Marshal(m)
	must(err)
	if b.batches {
		frame := binary.BigEndian.AppendUint16(append(make([]byte, 0, len(data)+4), 0x81, 126), uint16(len(data)))
		data = append(frame, data...)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, queue := range b.out {
		queue <- data
	}
}
