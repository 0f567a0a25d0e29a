package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/strict"
	"github.com/earshot-pbx/earshot/policy"
)

// Lines is what there is to lines beside the policy.
type Lines struct {
	Replies string `yaml:"replies"` // a file with quick replies; none: there are none
}

// replyFile is the form of a file with quick replies.
type replyFile struct {
	Replies []replyEntry `yaml:"replies"`
}

// replyEntry is one quick reply.
type replyEntry struct {
	Line  strict.OneOrMore `yaml:"line"`  // ids of the lines on which it may be used
	ID    string           `yaml:"id"`    // within each of them
	Title string           `yaml:"title"` // what a button says; the id
	Text  string           `yaml:"text"`
}

// Bounds of a file with quick replies: it is held in memory, and a panel shows what is in it.
const (
	maxReplies   = 1000
	maxReplyText = 4000
)

// loadReplies reads a file with quick replies, by the ids of lines and in the file's order. Every fault is reported at once, each at its place.
func loadReplies(path string) (map[string][]mask.Reply, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the quick replies: %w", err)
	}
	var f replyFile
	doc, err := strict.Decode(filepath.Base(path), data, &f)
	if err != nil {
		return nil, err
	}
	var errs []error
	of := map[string][]mask.Reply{}
	if len(f.Replies) > maxReplies {
		errs = append(errs, doc.Errorf("replies", "there are more than %d replies; nobody finds one among so many", maxReplies))
	}
	for i, r := range f.Replies {
		key := fmt.Sprintf("replies[%d]", i)
		bad := func(field, text string) { errs = append(errs, doc.Errorf(key+"."+field, "%s: %s", field, text)) }
		if len(r.Line) == 0 {
			bad("line", "a reply is for one line or a list of them, by their ids in the policy")
		}
		if r.ID == "" {
			bad("id", "a reply has an id, by which a panel knows it again")
		}
		if r.Text == "" || len(r.Text) > maxReplyText {
			bad("text", fmt.Sprintf("a reply has a text of at most %d bytes", maxReplyText))
		}
		if r.Title == "" {
			r.Title = r.ID
		}
		for _, line := range r.Line {
			if slices.ContainsFunc(of[line], func(o mask.Reply) bool { return o.ID == r.ID }) {
				bad("id", "another reply of the same line has this id")
				continue
			}
			of[line] = append(of[line], mask.Reply{ID: r.ID, Title: r.Title, Text: r.Text})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return of, nil
}

// reloadReplies reads the quick replies anew.
func (a *Agent) reloadReplies() error {
	if a.cfg.Lines.Replies == "" {
		return nil
	}
	of, err := loadReplies(a.cfg.Lines.Replies)
	a.met.files.WithLabelValues("replies").Set(good(err))
	if err != nil {
		return fmt.Errorf("lines.replies: %w", err)
	}
	a.gate.SetReplies(of)
	return nil
}

// replyStrangers are the warnings about lines of a file with quick replies that the policy does not have.
func replyStrangers(path string, of map[string][]mask.Reply, set *policy.Set) (warnings []string) {
	for line := range of {
		if _, ok := set.Line(line); !ok && set != nil {
			warnings = append(warnings, fmt.Sprintf("%s: there are replies for a line %q, which the policy does not have", path, line))
		}
	}
	slices.Sort(warnings)
	return warnings
}
