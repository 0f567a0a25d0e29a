package policyfile_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// The audit log may be written all the time in the folder of the policy. However its writing falls together with the waits for it, the next change
// of the policy is heard of: what is waited for is so short here that each change may meet the end of a wait.
func TestAFolderThatNeverRestsHidesNoChange(t *testing.T) {
	w := watch(t, policyAt(t, allowing), policyfile.Options{Debounce: 5 * time.Microsecond})
	log, err := os.Create(filepath.Join(filepath.Dir(w.path), "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := log.WriteString("{}\n"); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	defer func() {
		close(stop)
		writing.Wait()
		_ = log.Close()
	}()
	for i := range 500 {
		text, want := denying, false
		if i%2 == 1 {
			text, want = allowing, true
		}
		replace(t, w.path, text)
		if c := w.until(good); allows(c.set) != want {
			t.Fatalf("change %d is not in force", i)
		}
	}
}
