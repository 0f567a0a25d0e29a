package clients

// book is one loaded version of a file. All but what is remembered is fixed when it is made.
type book struct {
	region  string
	clients []Client
	index   map[string]int32 // normalised number to place in clients
	lately  *recent[int32]   // places of numbers that are not told in normal form; strangers too
}

const nobody = -1

func newBook(region string, clients []Client, index map[string]int32) *book {
	return &book{region: region, clients: clients, index: index, lately: newRecent[int32]()}
}

func (b *book) lookup(number string) (Client, bool) {
	var buf [maxNumber]byte
	clean, ok := squeeze(buf[:0], number)
	if !ok {
		return Client{}, false
	}
	place, ok := b.index[string(clean)] // most often it is told in normal form
	if !ok {
		place = nobody
		if clean[0] == '+' || len(clean) > maxShort {
			place = b.lately.get(clean, b.find)
		}
	}
	if place == nobody {
		return Client{}, false
	}
	return b.clients[place], true
}

// find looks for a number that may be told in another form than the normal one.
func (b *book) find(clean string) int32 {
	if normal, ok := normalise(clean, b.region); ok {
		if place, ok := b.index[normal]; ok {
			return place
		}
	}
	return nobody
}
