package httpapi

import "container/list"

// recent is a map that keeps the max keys that were asked for last. It is not safe for concurrent use.
type recent[K comparable, V any] struct {
	max   int
	byKey map[K]*list.Element
	order list.List // of pairs; those asked for last are in front
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func (r *recent[K, V]) get(key K) (v V, ok bool) {
	e, ok := r.byKey[key]
	if !ok {
		return v, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*pair[K, V]).value, true
}

// put adds a key that is not there.
func (r *recent[K, V]) put(key K, value V) {
	if r.byKey == nil {
		r.byKey = make(map[K]*list.Element)
	}
	if len(r.byKey) >= r.max {
		last := r.order.Back()
		delete(r.byKey, r.order.Remove(last).(*pair[K, V]).key)
	}
	r.byKey[key] = r.order.PushFront(&pair[K, V]{key, value})
}
