// Package child runs a program that must not outlive the test or the demo that started it.
//
// Invariant: when the process that called Start is gone, however it went, the child is gone
// too (Linux: parent-death signal), and Stop returns only after the whole process group was
// told to end and the child itself was reaped. Keep is for what has to outlive it.
package child

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running program. Safe for concurrent use.
type Process struct {
	pid  int
	done chan struct{}
	err  error // written before done is closed

	watch *watch // of one that may outlive this process; nil for others
}

// Start starts cmd as the leader of a process group of its own. cmd must not have been started
// and must not be used afterwards; its Stdout and Stderr should be files, so that no copying
// goroutine waits for a grandchild that holds a pipe.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	bind(cmd.SysProcAttr)
	p := &Process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal is sent when the *thread* that forked ends (prctl(2)), so
		// this thread stays with the child until the child is reaped.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is the process id, which is the id of the process group too.
func (p *Process) PID() int { return p.pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child ended (nil, or an *exec.ExitError). Valid after Done is closed; nil before.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Signal sends sig to the whole process group. A child that has ended is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %v to process group %d: %w", sig, p.pid, err)
	}
	return nil
}

// Stop asks the group to end (SIGTERM, and SIGCONT in case it was stopped), kills it after grace,
// and returns when the child was reaped. Zero grace kills at once. Calling it again is harmless.
func (p *Process) Stop(grace time.Duration) error {
	if grace > 0 {
		if err := errors.Join(p.Signal(syscall.SIGTERM), p.Signal(syscall.SIGCONT)); err != nil {
			return err
		}
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-p.done:
			// What the child left behind in its group ends with it.
			_ = syscall.Kill(-p.pid, syscall.SIGKILL)
			return nil
		case <-t.C:
		}
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}
