// Package pbxtest runs a real Asterisk for the tests and the demo: it gets one, writes its configuration from Go
// values, starts it as an ordinary user on loopback ports of its own, several at once, and ends it. The SIP phones
// that talk through it are in the package phone below.
//
// Invariant: what Start returns has booted fully, answers AMI and ARI, and is gone, with everything
// it wrote, when Stop returns or the process that started it ends; unless who writes a test has asked by EnvKeep that it stays.
package pbxtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
)

// bootLimit is how long an Asterisk may take to come up; on an idle machine it takes about a second.
const bootLimit = 60 * time.Second

// stopGrace is how long Asterisk may take to end by itself before it is killed.
const stopGrace = 3 * time.Second

// Options say what to start. The zero value is an Asterisk without phones.
type Options struct {
	Plan Plan
	// Asterisk is the installation to use; it stays the caller's. Nil: Find is called, and Stop closes what it found.
	Asterisk *Asterisk
	// Progress is told what takes long; nil prints to standard error.
	Progress func(string)
	// Clock is what it goes by; nil is the machine's. It stays the caller's.
	Clock *Clock
}

// PBX is a running Asterisk. Safe for concurrent use; Stop, Kill and Restart exclude each other.
type PBX struct {
	plan     Plan
	site     Site
	asterisk *Asterisk
	owned    bool // the installation was found by Start
	scratch  *scratch
	ports    *ports
	kept     *kept // nil for one that ends with Stop, as is usual
	clock    *Clock

	process atomic.Pointer[child.Process]

	life    sync.Mutex // held by Stop, Kill and Restart
	stopped bool
}

// Start starts an Asterisk, or where EARSHOT_KEEP_PBX is set takes up the one that an earlier process has left, and returns
// when it has booted fully and answers AMI and ARI. ctx limits the start only;
// Stop ends the Asterisk. If it does not come up, the error has the end of its log.
func Start(ctx context.Context, o Options) (*PBX, error) {
	p := &PBX{plan: o.Plan, asterisk: o.Asterisk, clock: o.Clock}
	if err := p.plan.check(); err != nil {
		return nil, err
	}
	if p.asterisk == nil {
		a, err := Find(ctx, o.Progress)
		if err != nil {
			return nil, err
		}
		p.asterisk, p.owned = a, true
	}
	if err := p.keepOrBegin(ctx, os.Getenv(EnvKeep)); err != nil {
		return nil, errors.Join(err, p.closeAsterisk())
	}
	return p, nil
}

// beginAnywhere begins on another block of ports when somebody took one of the first block.
func (p *PBX) beginAnywhere(ctx context.Context, claim func() (*ports, error)) error {
	const attempts = 3
	for i := 1; ; i++ {
		if err := p.begin(ctx, claim); !errors.Is(err, errPortTaken) || i == attempts {
			return err
		}
	}
}

func (p *PBX) closeAsterisk() error {
	if !p.owned {
		return nil
	}
	return p.asterisk.Close()
}

// begin claims ports, lays out the scratch folder and boots. What it made is gone again when it returns an error.
func (p *PBX) begin(ctx context.Context, claim func() (*ports, error)) (err error) {
	if p.ports, err = claim(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.clean())
		}
	}()
	if p.kept != nil {
		p.scratch, err = p.kept.newScratch()
	} else {
		p.scratch, err = newScratch()
	}
	if err != nil {
		return err
	}
	b := p.ports.base
	p.site = Site{
		Host: host, SIP: p.ports.sip(), AMI: p.ports.ami(), HTTP: p.ports.http(), RTPFirst: b + rtpOffset, RTPLast: b + blockSize - 1,
		Earshot: Account{"earshot", "earshot-secret"}, Admin: Account{"admin", "admin-secret"},
	}
	files, err := p.plan.Files(p.site)
	if err != nil {
		return err
	}
	if err := p.scratch.fill(p.asterisk, files); err != nil {
		return fmt.Errorf("lay out %s: %w", p.scratch.dir, err)
	}
	return p.boot(ctx)
}

// boot starts the process and waits until it is up.
func (p *PBX) boot(ctx context.Context) error {
	if err := p.scratch.beginLog(); err != nil {
		return err
	}
	output, err := os.OpenFile(p.scratch.path("output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	// The process outlives ctx, which limits the start only.
	cmd, err := p.asterisk.Command(context.WithoutCancel(ctx), "-f", "-n", "-C", p.scratch.path("etc/asterisk.conf"))
	if err != nil {
		return err
	}
	cmd.Dir = p.scratch.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(append(os.Environ(), "HOME="+p.scratch.dir, "TERM=dumb", "LC_ALL=C.UTF-8"), p.clock.environment()...)
	start := child.Start
	if p.kept != nil {
		start = child.Keep
	}
	proc, err := start(cmd)
	if err != nil {
		return fmt.Errorf("start Asterisk: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, bootLimit, fmt.Errorf("not within %s", bootLimit))
	defer cancel()
	if err := p.waitUp(ctx, proc.Done()); err != nil {
		return fmt.Errorf("asterisk %s did not come up: %w\n%s", p.asterisk.Version, errors.Join(err, proc.Stop(0)), p.scratch.errorTail())
	}
	p.process.Store(proc)
	if p.kept != nil {
		return p.kept.remember(proc.PID(), p.site)
	}
	return nil
}

func (p *PBX) clean() error {
	var errs []error
	if p.scratch != nil {
		errs = append(errs, p.scratch.remove())
	}
	return errors.Join(append(errs, p.releasePorts())...)
}

func (p *PBX) releasePorts() error {
	if p.ports == nil { // what was taken up has its ports, and nobody claims them
		return nil
	}
	return p.ports.release()
}

// Stop ends the Asterisk and removes what it wrote; one that is kept it leaves running, with no call. Calling it again is harmless.
func (p *PBX) Stop() (err error) {
	p.life.Lock()
	defer p.life.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	if p.kept != nil {
		defer func() { err = errors.Join(err, p.kept.lock.Close()) }()
		if p.leave() {
			return errors.Join(p.scratch.use.Close(), p.releasePorts(), p.closeAsterisk())
		}
	}
	return errors.Join(p.process.Load().Stop(stopGrace), p.clean(), p.closeAsterisk())
}

// Kill ends the Asterisk at once, as a crash does (SIGKILL), and keeps its ports and files: Restart brings it back. Asterisk
// writes its database once a second, so a phone that registered in the last second may have to register again.
func (p *PBX) Kill() error {
	p.life.Lock()
	defer p.life.Unlock()
	return p.process.Load().Stop(0)
}

// Restart ends the Asterisk, if it runs, and starts it again on the same ports with the same configuration and the
// registrations that it had.
func (p *PBX) Restart(ctx context.Context) error {
	p.life.Lock()
	defer p.life.Unlock()
	if p.stopped {
		return errors.New("restart: the PBX was stopped")
	}
	if err := p.process.Load().Stop(stopGrace); err != nil {
		return err
	}
	return p.boot(ctx)
}

// Pause stops the process (SIGSTOP): connections stay open and nothing answers, as when a host hangs.
func (p *PBX) Pause() error { return p.process.Load().Signal(syscall.SIGSTOP) }

// Continue lets a paused Asterisk go on.
func (p *PBX) Continue() error { return p.process.Load().Signal(syscall.SIGCONT) }

// Done is closed when the Asterisk process that runs now has ended, for whatever reason.
func (p *PBX) Done() <-chan struct{} { return p.process.Load().Done() }

// PID is the id of the Asterisk process that runs now, for who measures what it uses.
func (p *PBX) PID() int { return p.process.Load().PID() }

// Site is where the instance listens and how one logs in.
func (p *PBX) Site() Site { return p.site }

// Plan is what the instance was started with.
func (p *PBX) Plan() Plan { return p.plan }

// Version is the version of Asterisk.
func (p *PBX) Version() string { return p.asterisk.Version }

// SIP is the address for phones and trunks, "127.0.0.1:PORT" over UDP.
func (p *PBX) SIP() string { return address(p.site.SIP) }

// AMI is the manager's address.
func (p *PBX) AMI() string { return address(p.site.AMI) }

// ARI is the base URL of ARI, "http://127.0.0.1:PORT/ari".
func (p *PBX) ARI() string { return p.site.ariURL() }

// Log is what Asterisk has logged as notice, warning or error since it was started last.
func (p *PBX) Log() (string, error) {
	raw, err := os.ReadFile(p.scratch.path("log/messages"))
	return string(raw), err
}

// Dir is the scratch folder: etc, log, spool. It is removed by Stop.
func (p *PBX) Dir() string { return p.scratch.dir }

// Command runs one line of Asterisk's command line (asterisk -rx) and returns what it prints.
func (p *PBX) Command(ctx context.Context, line string) (string, error) {
	cmd, err := p.asterisk.Command(ctx, "-C", p.scratch.path("etc/asterisk.conf"), "-rx", line)
	if err != nil {
		return "", err
	}
	cmd.Env = append(os.Environ(), "HOME="+p.scratch.dir, "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asterisk -rx: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
