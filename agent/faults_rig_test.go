//go:build faults

// What goes wrong beside and below Earshot, on a real PBX: make test-faults runs this. Each test says how the fault is made; it is a real one.

package agent_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// smallDisk is a file system of its own, in memory, that is soon full. It is mounted in namespaces in which whoever runs the tests is root, so that nobody has to be:
// what runs within sees it at its folder, everybody else below root.
type smallDisk struct {
	*testing.T
	pid    int    // who holds the namespaces
	folder string // where it is mounted
}

func mount(t *testing.T, folder, size string) *smallDisk {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `mount -t tmpfs -o size="$1",mode=0700 earshot-test "$2" && echo mounted && read _`, "sh", size, folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("a disk of one's own needs user and mount namespaces, which this machine does not give (sysctl user.max_user_namespaces, or the container's profile): %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "mounted\n" {
		t.Fatalf("a disk of one's own cannot be mounted in namespaces of one's own: %v %s", err, said.String())
	}
	return &smallDisk{T: t, pid: cmd.Process.Pid, folder: folder}
}

// root is where everybody sees what is in the folder.
func (d *smallDisk) root() string { return fmt.Sprintf("/proc/%d/root%s", d.pid, d.folder) }

// fill leaves no room.
func (d *smallDisk) fill() {
	d.Helper()
	f, err := os.Create(filepath.Join(d.root(), "filler"))
	if err != nil {
		d.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for b := make([]byte, 4096); ; {
		if _, err := f.Write(b); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.Fatal(err)
		}
	}
}

// free gives room again.
func (d *smallDisk) free() {
	d.Helper()
	if err := os.Remove(filepath.Join(d.root(), "filler")); err != nil {
		d.Fatal(err)
	}
}

// wrapped is a program that runs another after some lines of shell.
func wrapped(t *testing.T, lines, exec string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "earshot")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\necho $$ >"+path+".pid\n"+lines+"\nexec "+exec+` "$@"`+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// within runs Earshot where it sees the disk.
func (d *smallDisk) within() string {
	d.Helper()
	binary, err := earshot()
	if err != nil {
		d.Fatal(err)
	}
	return wrapped(d.T, "", fmt.Sprintf("nsenter --preserve-credentials --user --mount --target %d -- %s", d.pid, binary))
}

// limited runs Earshot with so many file descriptors.
func limited(t *testing.T, files int) string {
	t.Helper()
	binary, err := earshot()
	if err != nil {
		t.Fatal(err)
	}
	return wrapped(t, fmt.Sprintf("ulimit -n %d", files), binary)
}

// entrances are free addresses for the doors that the site's Earshot has not.
type entrances struct{ ami, ari string }

// configure changes the site's configuration for this test, and opens the other doors.
func (o *office) configure(replace ...string) (d entrances) {
	o.Helper()
	before, err := os.ReadFile(o.Path("earshot.yaml"))
	o.must(err)
	o.Cleanup(func() { o.must(o.Write("earshot.yaml", string(before))) })
	d = entrances{o.freePort(), o.freePort()}
	text := strings.NewReplacer(replace...).Replace(string(before))
	o.must(o.Write("earshot.yaml", text+fmt.Sprintf("ami: {listen: %q}\nari: {listen: %q}\n", d.ami, d.ari)))
	return d
}

func (o *office) freePort() string {
	o.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	o.must(err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// runs starts a program in the place of Earshot's.
func (o *office) runs(binary string) *site.Process {
	o.Helper()
	p, err := o.Site.Run(o.ctx, binary, o.log)
	o.must(err)
	o.Cleanup(p.Stop)
	return p
}

// readiness waits until the admin listener's readiness is so, and says why where it is not.
func (o *office) readiness(status int, words string) {
	o.Helper()
	o.until("it is ready or not", func() error {
		got, text := o.get("GET", "/readyz")
		if got != status || !strings.Contains(text, words) {
			return fmt.Errorf("%d %s", got, text)
		}
		return nil
	})
}

// above waits until a series has more than so much.
func (o *office) above(series string, than float64) (got float64) {
	o.Helper()
	o.until(series, func() error {
		if got = o.metric(series); got <= than {
			return fmt.Errorf("%s is %g", series, got)
		}
		return nil
	})
	return got
}

// logged counts the lines of the log that have the words.
func (o *office) logged(words string) int { return strings.Count(o.log.String(), words) }

// onRecord are phases and reasons of an act, from the audit log below a folder.
func (o *office) onRecord(folder, id string) (all []audit.Entry) {
	o.Helper()
	for e, err := range audit.Read(nil, filepath.Join(folder, "audit.jsonl")) {
		if err != nil && !errors.Is(err, io.EOF) {
			o.Fatal(err)
		}
		if e.ID == id {
			all = append(all, e)
		}
	}
	return all
}

// cpu is how long the processor has worked for a program that wrapped has started. Where it has no file descriptor left it cannot tell itself.
func cpu(t *testing.T, wrapper string) time.Duration {
	t.Helper()
	pid, err := os.ReadFile(wrapper + ".pid")
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}

// own is one of the process's own figures.
func (o *office) taken(name string) float64 { return o.metric("process_" + name) }

// descriptors sees to it that the test itself may have so many.
func descriptors(t *testing.T, n uint64) {
	t.Helper()
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	if r.Max < n {
		t.Fatal("this test needs " + strconv.FormatUint(n, 10) + " file descriptors for itself, and the hard limit (ulimit -Hn) is " + strconv.FormatUint(r.Max, 10))
	}
	if r.Cur >= n {
		return
	}
	before := r
	r.Cur = n
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
}

// faultPatience is a context's worth of patience for what takes some of the doors' own times.
const faultPatience = 90 * time.Second
