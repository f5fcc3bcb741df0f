package pickle

import "fmt"

// do obeys one opcode, by the names of Python's pickletools.
func (m *machine) do(op byte) error {
	switch op {
	case 0x80, 0x95: // PROTO, FRAME: they say what follows, and that is seen
		_, err := m.skip(map[byte]int64{0x80: 1, 0x95: 8}[op])
		return err
	case '.': // STOP
		if _, err := m.top(); err != nil || len(m.stack) != 1 {
			return errEmpty
		}
		return errStop
	case '(': // MARK
		m.push(mark{})
	case '0': // POP: of a mark as well
		if len(m.stack) == 0 {
			return errEmpty
		}
		m.stack = m.stack[:len(m.stack)-1]
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case '2': // DUP
		v, err := m.top()
		if err != nil {
			return err
		}
		m.push(v)
	case 'N':
		m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		m.push(op == 0x88)
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		m.push(&List{})
	case '}': // EMPTY_DICT
		m.push(&Dict{})
	case ')', 0x85, 0x86, 0x87: // EMPTY_TUPLE, TUPLE1 to TUPLE3
		n := 0
		if op != ')' {
			n = int(op) - 0x84
		}
		t, err := m.popN(n)
		if err != nil {
			return err
		}
		m.push(t)
	case 't', 'l', 0x91, 'd': // TUPLE, LIST, FROZENSET, DICT
		return m.collect(op)
	case 'a', 'e', 0x90, 's', 'u': // APPEND, APPENDS, ADDITEMS, SETITEM, SETITEMS
		return m.extend(op)
	case 'p', 'q', 'r', 0x94, 'g', 'h', 'j': // PUT, BINPUT, LONG_BINPUT, MEMOIZE and their GETs
		return m.remember(op)
	case 'c', 0x93, 'R', 0x81, 0x92, 'i', 'o', 'b', 'P', 'Q':
		return m.call(op)
	default:
		return m.literal(op)
	}
	return nil
}

func (m *machine) collect(op byte) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	switch op {
	case 't':
		m.push(Tuple(items))
	case 'l', 0x91:
		m.push(&List{items})
	case 'd':
		d := &Dict{}
		if err := d.set(items); err != nil {
			return err
		}
		m.push(d)
	}
	return nil
}

func (d *Dict) set(items []any) error {
	if len(items)%2 != 0 {
		return fmt.Errorf("a key has no value")
	}
	for i := 0; i < len(items); i += 2 {
		d.Pairs = append(d.Pairs, Pair{items[i], items[i+1]})
	}
	return nil
}

// extend puts values into the list, dictionary or object below them.
func (m *machine) extend(op byte) (err error) {
	var items []any
	switch op {
	case 'a':
		items, err = m.popN(1)
	case 's':
		items, err = m.popN(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	into, err := m.top()
	if err != nil {
		return err
	}
	pairs := op == 's' || op == 'u'
	switch v := into.(type) {
	case *List:
		if !pairs {
			v.Items = append(v.Items, items...)
			return nil
		}
	case *Dict:
		if pairs {
			return v.set(items)
		}
	case *Object:
		if pairs {
			return v.Dict.set(items)
		}
		v.Items = append(v.Items, items...)
		return nil
	}
	return fmt.Errorf("%T is not filled like that", into)
}

func (m *machine) remember(op byte) error {
	var n uint32
	var err error
	switch op {
	case 'p', 'g':
		n, err = m.index()
	case 'q', 'h':
		n, err = m.uint32(1)
	case 'r', 'j':
		n, err = m.uint32(4)
	case 0x94:
		n = uint32(len(m.memo))
	}
	if err != nil {
		return err
	}
	if op == 'g' || op == 'h' || op == 'j' {
		v, ok := m.memo[n]
		if !ok {
			return fmt.Errorf("nothing was remembered as %d", n)
		}
		m.push(v)
		return nil
	}
	m.memo[n], err = m.top()
	return err
}

// call notes what Python would call, and with what.
func (m *machine) call(op byte) error {
	switch op {
	case 'c': // GLOBAL
		g, err := m.global()
		if err != nil {
			return err
		}
		m.push(g)
	case 0x93: // STACK_GLOBAL
		t, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok := t[0].(string)
		name, ok2 := t[1].(string)
		if !ok || !ok2 {
			return fmt.Errorf("a class is named by %T and %T", t[0], t[1])
		}
		m.push(Global{module, name})
	case 'R', 0x81: // REDUCE, NEWOBJ
		t, err := m.popN(2)
		if err != nil {
			return err
		}
		return m.object(t[0], t[1])
	case 0x92: // NEWOBJ_EX, whose keywords become the last argument
		t, err := m.popN(3)
		if err != nil {
			return err
		}
		args, ok := t[1].(Tuple)
		if !ok {
			return fmt.Errorf("%T where the arguments of a class are", t[1])
		}
		if err := m.charge(perItem * int64(len(args))); err != nil { // the same ones may be copied again and again
			return err
		}
		return m.object(t[0], append(append(Tuple(nil), args...), t[2]))
	case 'i', 'o': // INST, OBJ
		var class any
		if op == 'i' {
			g, err := m.global()
			if err != nil {
				return err
			}
			class = g
		}
		items, err := m.popMark()
		if err != nil {
			return err
		}
		if op == 'o' {
			if len(items) == 0 {
				return errEmpty
			}
			class, items = items[0], items[1:]
		}
		return m.object(class, Tuple(items))
	case 'b': // BUILD
		state, err := m.pop()
		if err != nil {
			return err
		}
		into, err := m.top()
		if err != nil {
			return err
		}
		switch v := into.(type) {
		case *Object:
			v.State = state
		case *Dict: // attributes of an OrderedDict, such as PyTorch's _metadata: no entries
		default:
			return fmt.Errorf("%T has no state", into)
		}
	case 'P': // PERSID
		id, err := m.line()
		if err != nil {
			return err
		}
		return m.persistent(id)
	case 'Q': // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		return m.persistent(id)
	}
	return nil
}

// persistent pushes what the file keeps outside of the pickle.
func (m *machine) persistent(id any) error {
	v, err := m.load(id)
	if err == nil {
		m.push(v)
	}
	return err
}

func (m *machine) global() (Global, error) {
	module, err := m.line()
	if err != nil {
		return Global{}, err
	}
	name, err := m.line()
	return Global{module, name}, err
}

// object pushes what calling class makes: an Object, or a Dict where that is known.
func (m *machine) object(class, args any) error {
	g, ok := class.(Global)
	a, ok2 := args.(Tuple)
	if !ok || !ok2 {
		return fmt.Errorf("%T is called with %T", class, args)
	}
	v, ok := known(g, a)
	if !ok {
		v = &Object{Class: g, Args: a}
	}
	m.push(v)
	if b, ok := v.(Bytes); ok {
		return m.charge(int64(len(b)))
	}
	return m.charge(perObject)
}

// known makes the values that older protocols spell as calls.
func known(g Global, a Tuple) (any, bool) {
	switch g.Module {
	case "__builtin__":
		g.Module = "builtins"
	case "copy_reg":
		g.Module = "copyreg"
	}
	switch g.String() {
	case "collections.OrderedDict":
		return &Dict{}, len(a) == 0
	case "builtins.set", "builtins.frozenset":
		if len(a) == 1 {
			l, ok := a[0].(*List)
			return l, ok
		}
	case "builtins.bytes":
		return Bytes(""), len(a) == 0
	case "_codecs.encode": // bytes as a text of Latin-1
		if len(a) == 2 && a[1] == "latin1" {
			s, ok := a[0].(string)
			return latin1(s), ok
		}
	case "copyreg._reconstructor": // an object of a class without arguments
		if len(a) == 3 {
			class, ok := a[0].(Global)
			return &Object{Class: class, Args: Tuple{}}, ok
		}
	}
	return nil, false
}

func latin1(s string) Bytes {
	var b []byte
	for _, c := range s {
		b = append(b, byte(c))
	}
	return Bytes(b)
}
