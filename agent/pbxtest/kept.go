package pbxtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
)

// EnvKeep names a folder, of a short path, for an Asterisk that is left running between runs of the tests, one for each plan: starting and ending
// one is most of what a short test takes. It is for who writes a test. What a test has left in it (registrations, the AstDB) the next one finds.
const EnvKeep = "EARSHOT_KEEP_PBX"

// clearTime is how long it may take until a kept Asterisk has no call.
const clearTime = 5 * time.Second

// kept is an Asterisk that is left running.
type kept struct {
	dir  string   // the scratch folder, which stays
	lock *os.File // held by the one process that has it
}

// keptState stands beside the scratch folder.
type keptState struct {
	PID  int
	Site Site
}

// keepOrBegin takes up the plan's Asterisk below home, or starts one; one that ends with this process where home is empty, or where another has the
// one that is kept.
func (p *PBX) keepOrBegin(ctx context.Context, home string) error {
	if home == "" {
		return p.beginAnywhere(ctx, claimPorts)
	}
	key, err := p.plan.key(p.asterisk.Version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fmt.Errorf("%s: %w", EnvKeep, err)
	}
	lockFile := filepath.Join(home, key+".lock")
	if err := os.MkdirAll(lockFile, 0o700); err != nil { // a folder, as lockDir wants it
		return err
	}
	lock, err := lockDir(lockFile)
	if err != nil { // somebody has it
		return p.beginAnywhere(ctx, claimPorts)
	}
	p.kept = &kept{dir: filepath.Join(home, key), lock: lock}
	if err := p.takeUp(ctx); err == nil {
		return nil
	}
	if err := os.RemoveAll(p.kept.dir); err != nil {
		return errors.Join(err, lock.Close())
	}
	if err := p.beginAnywhere(ctx, claimPorts); err != nil {
		return errors.Join(err, lock.Close())
	}
	return nil
}

// key tells plans and Asterisks apart.
func (p Plan) key(version string) (string, error) {
	files, err := p.Files(Container)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, _ = fmt.Fprintln(h, version)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(h, "%s %d\n%s", name, len(files[name]), files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func (k *kept) newScratch() (*scratch, error) {
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return nil, err
	}
	use, err := lockDir(k.dir)
	if err != nil {
		return nil, err
	}
	return &scratch{dir: k.dir, use: use}, nil
}

func (k *kept) remember(pid int, s Site) error {
	text, err := json.Marshal(keptState{pid, s})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(k.dir, "kept.json"), text, 0o600)
}

// takeUp makes p the Asterisk that was left, with the configuration of the plan and no call. One that does not answer is ended.
func (p *PBX) takeUp(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(p.kept.dir, "kept.json"))
	if err != nil {
		return err
	}
	var s keptState
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	proc, err := child.Attach(s.PID)
	if err != nil {
		return err
	}
	fail := func(err error) error { return errors.Join(err, proc.Stop(stopGrace)) }
	if err := errors.Join(fullyBooted(ctx, s.Site), ariAnswers(ctx, s.Site)); err != nil {
		return fail(err)
	}
	p.site = s.Site
	if p.scratch, err = p.kept.newScratch(); err != nil {
		return fail(err)
	}
	p.process.Store(proc)
	if err := p.restore(ctx); err != nil {
		p.scratch, err = nil, errors.Join(err, p.scratch.use.Close())
		return fail(err)
	}
	return nil
}

// restore writes the configuration as the plan has it, and reloads it where a test has changed it.
func (p *PBX) restore(ctx context.Context) error {
	before, err := p.scratch.configuration()
	if err != nil {
		return err
	}
	files, err := p.plan.Files(p.site)
	if err != nil {
		return err
	}
	if err := p.scratch.configure(p.asterisk, files); err != nil {
		return err
	}
	for name := range before {
		if _, ok := files[name]; !ok {
			if err := os.Remove(p.scratch.path("etc/" + name)); err != nil {
				return err
			}
		}
	}
	after, err := p.scratch.configuration()
	if err != nil {
		return err
	}
	if !maps.Equal(before, after) {
		if _, err := p.Command(ctx, "core reload"); err != nil {
			return err
		}
	}
	_, err = p.Command(ctx, "logger rotate") // the log is of this run
	return err
}

// configuration is what stands in the folder etc.
func (s *scratch) configuration() (map[string]string, error) {
	files, err := os.ReadDir(s.path("etc"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(s.path("etc/" + f.Name()))
		if err != nil {
			return nil, err
		}
		all[f.Name()] = string(text)
	}
	return all, nil
}

// leave ends every call, leaves the Asterisk to the next process and reports true; or false where it cannot be left.
func (p *PBX) leave() bool {
	proc := p.process.Load()
	ctx, cancel := context.WithTimeout(context.Background(), clearTime)
	defer cancel()
	ended := func() error {
		select {
		case <-proc.Done():
			return errors.New("it has ended")
		default:
			return nil
		}
	}
	err := poll(ctx, ended, func() error {
		if _, err := p.Command(ctx, "channel request hangup all"); err != nil {
			return err
		}
		out, err := p.Command(ctx, "core show channels count")
		if err == nil && !strings.Contains(out, "0 active channels") {
			err = errors.New("calls go on")
		}
		return err
	})
	if err != nil {
		return false
	}
	proc.Release()
	return true
}

// EndKept ends every Asterisk that is kept below home, with what it wrote.
func EndKept(home string) error {
	states, err := filepath.Glob(filepath.Join(home, "*", "kept.json"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range states {
		var s keptState
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if proc, err := child.Attach(s.PID); err == nil { // it may have ended by itself
			errs = append(errs, proc.Stop(stopGrace))
		}
		errs = append(errs, os.RemoveAll(filepath.Dir(file)))
	}
	return errors.Join(errs...)
}
