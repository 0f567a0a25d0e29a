package child_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
)

// asParent makes the test program play the parent that is killed.
const asParent = "EARSHOT_CHILD_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) == "1" {
		p, err := child.Start(exec.Command("sleep", "600"))
		if err != nil {
			panic(err)
		}
		fmt.Println(p.PID())
		<-p.Done()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestTheChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the child does not run: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for deadline := time.After(10 * time.Second); running(pid); {
		select {
		case <-deadline:
			t.Fatal("the child outlived its parent")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// running reports whether the process is there and is not a zombie that waits for whoever inherited it.
func running(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))[0]
	return state != "Z" && state != "X"
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	for name, grace := range map[string]time.Duration{"asked": 10 * time.Second, "killed": 0} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-c", "sleep 600 & echo $!; wait")
			cmd.Stdout = w
			p, err := child.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			line, err := bufio.NewReader(r).ReadString('\n')
			_ = r.Close()
			if err != nil {
				t.Fatal(err)
			}
			grandchild, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			if p.Err() != nil {
				t.Error("an error before it ended")
			}
			if err := p.Stop(grace); err != nil {
				t.Fatal(err)
			}
			for deadline := time.After(10 * time.Second); running(grandchild); {
				select {
				case <-deadline:
					t.Fatal("the grandchild is left")
				case <-time.After(10 * time.Millisecond):
				}
			}
			if err := p.Stop(grace); err != nil {
				t.Errorf("stopping again: %v", err)
			}
			var exit *exec.ExitError
			if !errors.As(p.Err(), &exit) {
				t.Errorf("Err is %v", p.Err())
			}
		})
	}
}

func TestAStoppedChildIsStoppedToo(t *testing.T) {
	p, err := child.Start(exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	if _, err := child.Start(exec.Command("/nowhere/at/all")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
