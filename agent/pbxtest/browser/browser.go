// Package browser runs a real browser for tests: Debian's Chromium without a window, driven by the DevTools protocol.
//
// Invariant: the browser ends with the process that started it, and each Page has cookies, storage and a cache of its own.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// program is where the package has it.
const program = "usr/lib/chromium/chromium-headless-shell"

// startTime is how long the browser may take until it can be asked.
const startTime = 30 * time.Second

// Root holds the program. It is fetched once and kept until the process ends.
var Root = sync.OnceValues(func() (*debian.Root, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return debian.Fetch(ctx, debian.Bundle{Name: "chromium", Suite: "bookworm", Packages: []string{"chromium-headless-shell", "fonts-dejavu-core"}})
})

// Browser is a running Chromium. It is safe for concurrent use.
type Browser struct {
	process *child.Process
	dir     string
	conn    *websocket.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	read    sync.WaitGroup

	mu    sync.Mutex
	next  int
	calls map[int]chan answer
	pages map[string]*Page // by session
	err   error            // why it is over
}

// answer is what the browser says to one command.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start starts the browser that Root holds. Whoever starts it closes it.
func Start(ctx context.Context) (*Browser, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "earshot-browser-")
	if err != nil {
		return nil, err
	}
	b := &Browser{dir: dir, calls: map[int]chan answer{}, pages: map[string]*Page{}}
	if err := b.start(ctx, root); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Browser) start(ctx context.Context, root *debian.Root) error {
	cmd, err := b.command(ctx, root)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	b.process, err = child.Start(cmd)
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	address, err := b.address(ctx)
	if err != nil {
		return err
	}
	b.conn, _, err = websocket.Dial(ctx, address, nil)
	if err != nil {
		return fmt.Errorf("connect to the browser: %w", err)
	}
	b.conn.SetReadLimit(64 << 20)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.read.Go(b.listen)
	return nil
}

// command puts the program beside a copy of its loader. Chromium finds its files, and the program for its own children, by /proc/self/exe, which
// is the loader here; so the loader lies among them, and children are started by a script that goes through it again.
func (b *Browser) command(ctx context.Context, root *debian.Root) (*exec.Cmd, error) {
	by, err := root.Command(ctx, program)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(b.dir, "run")
	if err := os.Mkdir(home, 0o755); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Dir(root.Path(program)))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := os.Symlink(filepath.Join(filepath.Dir(root.Path(program)), f.Name()), filepath.Join(home, f.Name())); err != nil {
			return nil, err
		}
	}
	loader := filepath.Join(home, "loader")
	if err := copyFile(by.Path, loader); err != nil {
		return nil, err
	}
	// PulseAudio's client has a library in a folder of its own, which it finds by a path from the real root.
	pulse, err := filepath.Glob(root.Path("usr/lib/*/pulseaudio"))
	if err != nil {
		return nil, err
	}
	libraries := slices.Index(by.Args, "--library-path") + 1
	by.Args[libraries] = strings.Join(append([]string{by.Args[libraries]}, pulse...), ":")
	by.Args[len(by.Args)-1] = filepath.Join(home, filepath.Base(program))
	quoted := make([]string, 0, len(by.Args))
	for _, arg := range append([]string{loader}, by.Args[1:]...) {
		quoted = append(quoted, "'"+strings.ReplaceAll(arg, "'", `'\''`)+"'")
	}
	script := filepath.Join(home, "again")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+strings.Join(quoted, " ")+" \"$@\"\n"), 0o755); err != nil {
		return nil, err
	}
	fonts := filepath.Join(b.dir, "fonts.conf")
	conf := fmt.Sprintf("<?xml version=\"1.0\"?><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>\n", root.Path("usr/share/fonts"), filepath.Join(b.dir, "fonts"))
	if err := os.WriteFile(fonts, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), loader, append(by.Args[1:],
		"--no-sandbox", "--no-zygote", "--browser-subprocess-path="+script, "--user-data-dir="+filepath.Join(b.dir, "profile"), "--remote-debugging-port=0",
		"--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-first-run", "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars", "--lang=en-US", "about:blank")...)
	cmd.Env = append(os.Environ(), "FONTCONFIG_FILE="+fonts, "HOME="+b.dir, "LANG=C.UTF-8")
	return cmd, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// address waits until the browser has written where it can be asked.
func (b *Browser) address(ctx context.Context) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if f, err := os.Open(filepath.Join(b.dir, "profile", "DevToolsActivePort")); err == nil {
			lines := bufio.NewScanner(f)
			lines.Scan()
			port, err := strconv.Atoi(lines.Text())
			path := ""
			if lines.Scan() {
				path = lines.Text()
			}
			_ = f.Close()
			if err == nil && path != "" {
				return fmt.Sprintf("ws://127.0.0.1:%d%s", port, path), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the browser does not say where it can be asked: %w\n%s", ctx.Err(), b.said())
		case <-b.process.Done():
			return "", fmt.Errorf("the browser ended: %w\n%s", b.process.Err(), b.said())
		case <-tick.C:
		}
	}
}

// said is what it has printed.
func (b *Browser) said() string {
	text, err := os.ReadFile(filepath.Join(b.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// listen hands out what the browser says, until it says nothing more.
func (b *Browser) listen() {
	for {
		_, data, err := b.conn.Read(b.ctx)
		if err != nil {
			b.mu.Lock()
			b.err = fmt.Errorf("the browser is gone: %w", err)
			for id, c := range b.calls {
				close(c)
				delete(b.calls, id)
			}
			b.mu.Unlock()
			return
		}
		var m struct {
			ID        int             `json:"id"`
			SessionID string          `json:"sessionId"`
			Method    string          `json:"method"`
			Params    json.RawMessage `json:"params"`
			answer
		}
		if json.Unmarshal(data, &m) != nil {
			continue
		}
		b.mu.Lock()
		c, page := b.calls[m.ID], b.pages[m.SessionID]
		delete(b.calls, m.ID)
		b.mu.Unlock()
		switch {
		case c != nil:
			c <- m.answer
		case page != nil && m.Method != "":
			page.heard(m.Method, m.Params)
		}
	}
}

// do sends a command of the DevTools protocol, to a page's session or with "" to the browser, and reads the answer into out, if that is not nil.
func (b *Browser) do(ctx context.Context, session, method string, params map[string]any, out any) error {
	c := make(chan answer, 1)
	b.mu.Lock()
	if b.err != nil {
		defer b.mu.Unlock()
		return b.err
	}
	b.next++
	id := b.next
	b.calls[id] = c
	b.mu.Unlock()
	command := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		command["sessionId"] = session
	}
	data, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if err := b.conn.Write(b.ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a, ok := <-c:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser is gone", method)
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case out != nil:
			return json.Unmarshal(a.Result, out)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// Close ends the browser with all its pages.
func (b *Browser) Close() error {
	var err error
	if b.conn != nil {
		b.cancel()
		_ = b.conn.CloseNow()
		b.read.Wait()
	}
	if b.process != nil {
		err = b.process.Stop(0)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}
