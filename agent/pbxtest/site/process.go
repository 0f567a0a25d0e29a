package site

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
)

// Process is a running earshot program.
type Process struct {
	proc *child.Process
	log  *tail
	site *Site
}

// tail keeps the last lines of a log and passes them on.
type tail struct {
	mu    sync.Mutex
	lines []string
	to    io.Writer
}

func (t *tail) follow(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		t.mu.Lock()
		t.lines = append(t.lines, s.Text())
		if len(t.lines) > 200 {
			t.lines = t.lines[1:]
		}
		if t.to != nil {
			_, _ = fmt.Fprintln(t.to, s.Text())
		}
		t.mu.Unlock()
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// Token has the earshot program make a token for an employee.
func (s *Site) Token(ctx context.Context, binary, employee string) (string, error) {
	return s.token(ctx, binary, employee)
}

// PanelToken has it make one for a panel, which may ask for these employees, or with its own name alone for itself.
func (s *Site) PanelToken(ctx context.Context, binary, panel string, actsFor ...string) (string, error) {
	return s.token(ctx, binary, "--panel", panel, "--acts-for", strings.Join(actsFor, ","))
}

func (s *Site) token(ctx context.Context, binary string, whose ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, append([]string{"token", "--config", s.Path("earshot.yaml"), "--label", "demo"}, whose...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("earshot token %s: %w: %s", strings.Join(whose, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Run starts the earshot program with the site's configuration and waits until it is ready. Its log goes to w, when w is not nil.
func (s *Site) Run(ctx context.Context, binary string, w io.Writer) (*Process, error) {
	cmd := exec.Command(binary, "run", "--config", s.Path("earshot.yaml")) //nolint:noctx // it is stopped by Stop or Kill, or dies with this process
	r, wr := io.Pipe()
	cmd.Stdout, cmd.Stderr = wr, wr
	p := &Process{log: &tail{to: w}, site: s}
	go p.log.follow(r)
	var err error
	if p.proc, err = child.Start(cmd); err != nil {
		return nil, err
	}
	go func() { <-p.proc.Done(); _ = wr.Close() }()
	if err := s.WaitReady(ctx, p.proc.Done()); err != nil {
		p.Kill()
		return nil, fmt.Errorf("earshot did not become ready: %w; its log:\n%s", err, p.log)
	}
	return p, nil
}

// WaitReady asks /readyz until it says yes, the program has ended, or ctx is over.
func (s *Site) WaitReady(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no answer")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			last = errors.New(strings.TrimSpace(string(body)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-ended:
			return errors.New("it has ended")
		case <-tick.C:
		}
	}
}

// Log is the end of the program's log.
func (p *Process) Log() string { return p.log.String() }

// PID is the program's process id, for who measures what it uses.
func (p *Process) PID() int { return p.proc.PID() }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.proc.Done() }

// Stop asks the program to end and waits until it has.
func (p *Process) Stop() { _ = p.proc.Stop(15 * time.Second) } // how it ended is not what the caller asks

// Kill ends the program without giving it a moment (SIGKILL).
func (p *Process) Kill() { _ = p.proc.Stop(0) }

// Pause stops the process (SIGSTOP): its connections stay open and nothing answers, as when a host hangs.
func (p *Process) Pause() error { return p.proc.Signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (p *Process) Continue() error { return p.proc.Signal(syscall.SIGCONT) }
