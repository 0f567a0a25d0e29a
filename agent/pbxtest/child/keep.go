package child

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// lookEvery is the pause between two looks whether a program that is nobody's child still runs.
const lookEvery = 20 * time.Millisecond

// watch is how a process waits for the end of a program that is not its child, or will not be.
type watch struct {
	once    sync.Once
	release chan struct{}
	ended   chan struct{}
}

// Keep starts cmd as Start does, but for the invariant: it outlives the process that called Keep, until somebody stops it. Release it in the end.
func Keep(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil { // it is waited for by its id
		return nil, err
	}
	return Attach(pid)
}

// Attach takes up a program that Keep has started, in this process or in one before. How it ends is not known: Err is nil.
func Attach(pid int) (*Process, error) {
	if gone(pid) {
		return nil, fmt.Errorf("process %d: %w", pid, syscall.ESRCH)
	}
	p := &Process{pid: pid, done: make(chan struct{}), watch: &watch{release: make(chan struct{}), ended: make(chan struct{})}}
	go func() {
		defer close(p.watch.ended)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for !gone(pid) {
			select {
			case <-p.watch.release:
				return
			case <-tick.C:
			}
		}
		close(p.done)
	}()
	return p, nil
}

// gone reports whether a process has ended, and reaps it when it was a child.
func gone(pid int) bool {
	var status syscall.WaitStatus
	if ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err == nil && ended == pid {
		return true
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// Release says that this process has done with a program that was kept, which goes on. Of others, and a second time, it does nothing.
func (p *Process) Release() {
	if p.watch == nil {
		return
	}
	p.watch.once.Do(func() { close(p.watch.release) })
	<-p.watch.ended
}
