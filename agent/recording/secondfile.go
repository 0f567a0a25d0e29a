package recording

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"
	"syscall"
)

// rights is the authority of the file system: the Unix user that an employee is must be able to read the file and to go through the folders from
// the spool's down to it; to delete, to write into the folder, and where that is sticky to own it or the file. Owner, group and mode are looked at. Access lists (ACLs) are not, so what only such a
// list lets him have is refused; and the kernel's word that no list takes anything away stands in the group's bits, which it masks.
type rights struct {
	users  map[string]string
	spools *Spools
	ids    func(name string) (uid uint32, gids []uint32, err error)
}

func newRights(users []UnixUser, s *Spools) *rights {
	r := &rights{users: map[string]string{}, spools: s, ids: lookUp}
	for _, u := range users {
		r.users[u.Employee] = u.User
	}
	return r
}

// lookUp finds a user's ids now: who is put out of a group has its rights no more.
func lookUp(name string) (uid uint32, gids []uint32, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, nil, err
	}
	list, err := u.GroupIds()
	if err != nil {
		return 0, nil, err
	}
	for _, text := range append(list, u.Gid) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, nil, err
		}
		gids = append(gids, uint32(n))
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), gids, err
}

const (
	mayRead  = 4
	mayWrite = 2
	mayEnter = 1
)

// Allow implements [Authority].
func (r *rights) Allow(_ context.Context, q Question) (bool, error) {
	name, mapped := r.users[q.Employee]
	if !mapped {
		return false, nil
	}
	p, err := r.spools.named(q.Spool)
	if err != nil || !isName(q.File) {
		return false, errors.Join(err, ErrNoFile)
	}
	root, err := p.folder()
	if err != nil {
		return false, err
	}
	uid, gids, err := r.ids(name)
	if err != nil {
		return false, errors.New("the Unix user that an employee is said to be cannot be looked up")
	}
	for at := path.Dir(q.File); ; at = path.Dir(at) {
		needs := uint32(mayEnter)
		if q.Action == "delete" && at == path.Dir(q.File) {
			needs |= mayWrite
		}
		if ok, err := allows(root, at, uid, gids, needs); err != nil || !ok {
			return false, err
		}
		if at == "." {
			break
		}
	}
	if q.Action == "delete" {
		return unstuck(root, q.File, uid)
	}
	return allows(root, q.File, uid, gids, mayRead)
}

// unstuck reports whether the folder's sticky bit lets a user remove what lies in it: only the owner of the file or of the folder may (inode(7)).
func unstuck(root *os.Root, name string, uid uint32) (bool, error) {
	folder, err := root.Stat(path.Dir(name))
	if err != nil {
		return false, reason(err)
	}
	if folder.Mode()&fs.ModeSticky == 0 || uid == 0 {
		return true, nil
	}
	file, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, ErrNoFile
	}
	if err != nil {
		return false, reason(err)
	}
	for _, info := range []os.FileInfo{file, folder} {
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false, errNoOwner
		}
		if st.Uid == uid {
			return true, nil
		}
	}
	return false, nil
}

var errNoOwner = errors.New("the file system does not tell whose a file is")

// allows reports whether owner, group and mode of a file let a user do that. The superuser may everything.
func allows(root *os.Root, name string, uid uint32, gids []uint32, needs uint32) (bool, error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, ErrNoFile
	}
	if err != nil {
		return false, reason(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false, errNoOwner
	}
	if uid == 0 {
		return true, nil
	}
	mode := uint32(info.Mode().Perm())
	switch {
	case st.Uid == uid:
		mode >>= 6
	case contains(gids, st.Gid):
		mode >>= 3
	}
	return mode&needs == needs, nil
}

func contains(gids []uint32, gid uint32) bool {
	for _, g := range gids {
		if g == gid {
			return true
		}
	}
	return false
}
