// Package pickle reads what Python's pickle module writes, protocols 0 to 5, as
// data: nothing a file names is looked up, imported or called.
//
// Values come as
//
//	None                      nil
//	bool, float               bool, float64
//	int                       int64, or *big.Int beyond it
//	str                       string
//	bytes, bytearray          Bytes
//	tuple                     Tuple
//	list, set, frozenset      *List
//	dict, OrderedDict         *Dict
//	a class or function       Global
//	what calling one made     *Object
//	what the file keeps outside  Persistent
//
// Lists, dicts and objects are pointers, as in Python: the same one may come
// twice, and may hold itself.
//
// The format is that of Python's Lib/pickletools.py.
package pickle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Bytes is a bytes object.
type Bytes string

// Tuple is a tuple.
type Tuple []any

// List is a list, a set or a frozen set.
type List struct{ Items []any }

// Dict is a dictionary in the order in which it was filled. A key may come again;
// then the last one counts.
type Dict struct{ Pairs []Pair }

// Pair is an entry of a Dict.
type Pair struct{ Key, Value any }

// Get returns the value of a string key.
func (d *Dict) Get(key string) (value any, ok bool) {
	for i := len(d.Pairs) - 1; i >= 0; i-- {
		if d.Pairs[i].Key == key {
			return d.Pairs[i].Value, true
		}
	}
	return nil, false
}

// Global names a class or function.
type Global struct{ Module, Name string }

func (g Global) String() string { return g.Module + "." + g.Name }

// Object is what a call of Class with Args would have made, and what was then
// put into it.
type Object struct {
	Class Global
	Args  Tuple
	State any // given to __setstate__
	List      // of what was appended
	Dict      // of what was set
}

// Persistent is something that the writer keeps outside of the pickle, such as
// PyTorch its numbers.
type Persistent struct{ ID any }

// Read reads one pickle and nothing behind it, so that several in a row can be
// read. Its values may take 256 MB.
func Read(r *bufio.Reader) (any, error) {
	return ReadPersistent(r, 1<<28, func(id any) (any, error) { return Persistent{id}, nil })
}

// ReadPersistent is Read with load's values in place of Persistent ones, and of
// values that take about so many bytes of memory at most: an opcode of one byte
// makes a list of a hundred.
func ReadPersistent(r *bufio.Reader, room int64, load func(id any) (any, error)) (any, error) {
	m := machine{r: r, left: room, load: load, memo: map[uint32]any{}}
	for {
		op, err := r.ReadByte()
		if err == nil {
			m.at++
			if err = m.charge(perOpcode); err == nil {
				err = m.do(op)
			}
		}
		switch {
		case errors.Is(err, errStop):
			return m.stack[0], nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("pickle: cut off after %d bytes", m.at)
		case err != nil:
			return nil, fmt.Errorf("pickle: byte %d: %w", m.at, err)
		}
	}
}

// mark is on the stack where a list of arguments begins.
type mark struct{}

// machine is the stack machine that a pickle is a program of.
type machine struct {
	r     *bufio.Reader
	load  func(id any) (any, error)
	at    int64 // bytes read
	left  int64 // bytes that values may still take
	stack []any
	memo  map[uint32]any
}

var (
	errStop  = errors.New("stop")
	errEmpty = errors.New("the stack is too small: this is no pickle, or a damaged one")
)

// What an opcode leaves at most beside the bytes it reads: a value on the stack,
// which grows by doubling, that is a list or remembered; or an object; or an item of a
// tuple that is copied.
const (
	perOpcode = 100
	perObject = 200
	perItem   = 16
)

func (m *machine) charge(bytes int64) error {
	if m.left -= bytes; m.left < 0 {
		return errors.New("its values take more memory than a file of this size may")
	}
	return nil
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// pop returns the value on top, which is no mark.
func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errEmpty
	}
	v := m.stack[len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errEmpty
	}
	return v, nil
}

// popMark returns a copy of what lies above the topmost mark, and takes both away.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any{}, m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errEmpty
}

// popN returns the n topmost values as a tuple.
func (m *machine) popN(n int) (Tuple, error) {
	t := make(Tuple, n)
	for i := n - 1; i >= 0; i-- {
		var err error
		if t[i], err = m.pop(); err != nil {
			return nil, err
		}
	}
	return t, nil
}
