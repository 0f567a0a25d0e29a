package audit

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// head is what the file beside the log says about it. It is rewritten in place after each commit, after the log was synced, so
// it never runs ahead of the log: a log that ends before its head has lost its end. It is not synced each time, which would double
// the cost of a commit; after a power cut it may be some seconds old, and the lines after it are then believed by their chain
// alone. Its length is fixed and under one disk sector, so a crash leaves the old or the new, not a mixture.
type head struct {
	base Link  // the link before the file's first line
	last Link  // the file's last line
	size int64 // bytes of the file up to the end of that line
}

const (
	headSuffix = ".head"
	headFormat = "earshot audit head1 base=%020d:%s last=%020d:%s size=%020d"
	headLen    = len("earshot audit head1 base=: last=: size= sum=\n") + 3*20 + 3*hexLen
)

var (
	errHeadBad  = errors.New("the head file is damaged or was written with another key")
	errHeadNone = errors.New("the head file is missing")
)

func (h head) encode(c *chain) []byte {
	b := fmt.Appendf(make([]byte, 0, headLen), headFormat, h.base.Seq, h.base.sum(), h.last.Seq, h.last.sum(), h.size)
	sum := c.of(b)
	b = append(b, " sum="...)
	b = append(b, sum...)
	return append(b, '\n')
}

// readHead returns errHeadNone for an empty file, which is what a crash leaves between creating and writing it.
func readHead(r io.ReaderAt, c *chain) (head, error) {
	b := make([]byte, headLen+1)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	if n == 0 {
		return head{}, errHeadNone
	}
	h, ok := parseHead(string(b[:n]))
	if !ok || !hmac.Equal(h.encode(c), b[:n]) { // the one spelling of h, its sum included
		return head{}, errHeadBad
	}
	return h, nil
}

func parseHead(s string) (head, bool) {
	var h head
	var err [3]error
	f := strings.Fields(s)
	if len(s) != headLen || len(f) != 7 {
		return head{}, false
	}
	baseSeq, base, _ := strings.Cut(strings.TrimPrefix(f[3], "base="), ":")
	lastSeq, last, _ := strings.Cut(strings.TrimPrefix(f[4], "last="), ":")
	h.base.Seq, err[0] = strconv.ParseUint(baseSeq, 10, 64)
	h.last.Seq, err[1] = strconv.ParseUint(lastSeq, 10, 64)
	h.size, err[2] = strconv.ParseInt(strings.TrimPrefix(f[5], "size="), 10, 64)
	if errors.Join(err[:]...) != nil || h.size < 0 || h.last.Seq < h.base.Seq {
		return head{}, false
	}
	if h.base.Seq > 0 {
		h.base.Hash = base
	}
	if h.last.Seq > 0 {
		h.last.Hash = last
	}
	return h, true
}
