package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
)

// AddToken adds an entry to the tokens file at path, or makes the file. What stands in the file, comments too, stays as it is. The
// file is replaced as a whole, so no reader sees half of it, and is readable by its owner alone. Processes that add at the same
// time wait for each other.
func AddToken(path string, e Entry) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("auth: add token: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // or the link would be replaced, not the file
	}
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("auth: add token: %w", err)
	}
	defer unlock()
	old, err := readTokens(path)
	fresh := errors.Is(err, os.ErrNotExist)
	if err != nil && !fresh {
		return err
	}
	var data []byte
	if !fresh {
		if data, err = os.ReadFile(path); err != nil {
			return fmt.Errorf("auth: add token: %w", err)
		}
	}
	data = appendEntry(data, e)
	now, err := ParseTokens(path, data)
	if err != nil || len(now) != len(old)+1 || !reflect.DeepEqual(now[len(old)], e.asWritten()) {
		if err != nil && hasHash(old, e.Hash) {
			return fmt.Errorf("auth: add token: the file has this hash already")
		}
		return fmt.Errorf("auth: add token: %s is not a plain list of entries; add this one by hand", path)
	}
	if err := replace(path, data); err != nil {
		return fmt.Errorf("auth: add token: %w", err)
	}
	return nil
}

func hasHash(entries []Entry, hash string) bool {
	for _, e := range entries {
		if e.Hash == hash {
			return true
		}
	}
	return false
}

// asWritten is e after it went through the file, which keeps whole seconds in UTC.
func (e Entry) asWritten() Entry {
	if len(e.ActsFor) == 0 {
		e.ActsFor = nil
	}
	for _, t := range []*time.Time{&e.Created, &e.Expires} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Second)
		}
	}
	return e
}

// appendEntry adds e in block style, indented as the list is.
func appendEntry(data []byte, e Entry) []byte {
	indent := 0
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err == nil && len(doc.Content) == 1 {
		root := doc.Content[0]
		if root.Kind == yaml.SequenceNode && len(root.Content) == 0 {
			data = bytes.Replace(data, []byte("[]"), nil, 1)
		} else {
			indent = max(0, root.Column-1)
		}
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	lead := "- "
	line := func(key string, value any) {
		quoted, _ := json.Marshal(value) // JSON is YAML
		data = fmt.Appendf(data, "%s%s%s: %s\n", strings.Repeat(" ", indent), lead, key, quoted)
		lead = "  "
	}
	switch {
	case e.Panel == "":
		line("employee", e.Employee)
	case isEveryone(e.ActsFor):
		line("panel", e.Panel)
		line("acts_for", Everyone)
	default:
		line("panel", e.Panel)
		line("acts_for", e.ActsFor)
	}
	line("hash", e.Hash)
	if e.Label != "" {
		line("label", e.Label)
	}
	if !e.Created.IsZero() {
		line("created", e.Created.UTC().Format(time.RFC3339))
	}
	if !e.Expires.IsZero() {
		line("expires", e.Expires.UTC().Format(time.RFC3339))
	}
	return data
}

// replace puts data in the place of the file at path, under the same owner: `earshot token` may be run by root, the service not.
func replace(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if st, serr := os.Stat(path); err == nil && serr == nil {
		if owner, ok := st.Sys().(*syscall.Stat_t); ok {
			err = tmp.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		_ = d.Close()
		return nil, err
	}
	return func() { _ = d.Close() }, nil
}
