package ptx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// statement is an instruction as text.
type statement struct {
	guard   string // such as %p1, or nothing
	negated bool
	op      []string // what stands between dots
	args    []string // a vector is one, in braces
	line    int
	text    string
}

// statements of a body, the registers it declares and its labels' places among them.
func (k *Kernel) statements(body string, line int) (all []statement, labels map[string]int, err error) {
	labels = map[string]int{}
	for text := range strings.Lines(body) {
		text, _, _ = strings.Cut(text, "//")
		text = strings.Join(strings.Fields(text), " ")
		if label, ok := strings.CutSuffix(text, ":"); ok {
			labels[label] = len(all)
		} else if strings.HasPrefix(text, ".reg") {
			if err := k.declare(strings.TrimSuffix(text, ";")); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", line, err)
			}
		} else if text != "" && !strings.HasPrefix(text, ".pragma") && !strings.HasPrefix(text, ".shared") { // which Kernel has found
			one, ok := strings.CutSuffix(text, ";")
			if !ok || strings.ContainsAny(one, ";\"") {
				return nil, nil, fmt.Errorf("line %d: %q is no statement", line, text)
			}
			all = append(all, parse(one, line))
		}
		line++
	}
	return all, labels, nil
}

// declare makes room for registers.
func (k *Kernel) declare(text string) error {
	d := registers.FindStringSubmatch(text)
	if d == nil {
		return fmt.Errorf("%q declares no registers", text)
	}
	count, _ := strconv.Atoi(d[3])
	b := bank{count: count}
	if d[1] == "pred" {
		b.first = k.preds
		k.preds += count
	} else {
		bits, _ := strconv.Atoi(d[1][1:])
		b.first, b.bytes = k.values, bits/8
		k.values += count
	}
	k.banks[d[2]] = b
	return nil
}

func parse(text string, line int) statement {
	s := statement{line: line, text: text}
	if guard, ok := strings.CutPrefix(text, "@"); ok {
		s.guard, text, _ = strings.Cut(guard, " ")
		s.guard, s.negated = strings.CutPrefix(s.guard, "!")
	}
	text = strings.TrimSpace(text)
	op, args := text, ""
	if i := strings.IndexByte(text, ' '); i >= 0 {
		op, args = text[:i], text[i:]
	}
	s.op = strings.Split(op, ".")
	depth, from := 0, 0
	for i, c := range args + "," {
		switch {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			if a := strings.TrimSpace(args[from:i]); a != "" {
				s.args = append(s.args, a)
			}
			from = i + 1
		}
	}
	return s
}

// elements of a vector, or the one that it is.
func elements(arg string) []string {
	inner, ok := strings.CutPrefix(arg, "{")
	if !ok {
		return []string{arg}
	}
	all := strings.Split(strings.TrimSuffix(inner, "}"), ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// register finds the one of a name.
func (k *Kernel) register(name string) (index, bytes int, ok bool) {
	prefix := strings.TrimRight(name, "0123456789")
	b, ok := k.banks[prefix]
	n, err := strconv.Atoi(name[len(prefix):])
	if !ok || err != nil || n >= b.count {
		return 0, 0, false
	}
	return b.first + n, b.bytes, true
}

// immediate is the value of a number: of an integer, or the bits after 0f and 0d
// ("Floating-Point Constants").
func immediate(text string) (uint64, bool) {
	if bits, ok := strings.CutPrefix(text, "0f"); ok && len(bits) == 8 {
		v, err := strconv.ParseUint(bits, 16, 32)
		return v, err == nil
	}
	if bits, ok := strings.CutPrefix(text, "0d"); ok && len(bits) == 16 {
		v, err := strconv.ParseUint(bits, 16, 64)
		return v, err == nil
	}
	if v, err := strconv.ParseInt(text, 0, 64); err == nil {
		return uint64(v), true
	}
	v, err := strconv.ParseUint(text, 0, 64)
	return v, err == nil
}

// operand is a register's number or, below zero, a constant's.
type operand int

// none is an operand that is not there, as the third of an addition.
const none = operand(math.MinInt)

// value is an operand that is read: a register, a number or a symbol's address.
func (k *Kernel) value(text string) (operand, error) {
	if i, bytes, ok := k.register(text); ok && bytes > 0 {
		return operand(i), nil
	}
	v, ok := k.symbols[text]
	if !ok {
		if v, ok = immediate(text); !ok {
			return 0, fmt.Errorf("%q is no register, number or symbol", text)
		}
	}
	return k.constant(v), nil
}

func (k *Kernel) constant(v uint64) operand {
	for i := range k.constants {
		if k.constants[i][0] == v {
			return operand(^i)
		}
	}
	var all vector
	for i := range all {
		all[i] = v
	}
	k.constants = append(k.constants, all)
	return operand(^(len(k.constants) - 1))
}

// target is a register that is written, and its bytes.
func (k *Kernel) target(text string) (operand, int, error) {
	i, bytes, ok := k.register(text)
	if !ok || bytes == 0 {
		return 0, 0, fmt.Errorf("%q is no register for values", text)
	}
	return operand(i), bytes, nil
}

// pred is a register of one bit.
func (k *Kernel) pred(text string) (int, error) {
	i, bytes, ok := k.register(text)
	if !ok || bytes != 0 {
		return 0, fmt.Errorf("%q is no predicate", text)
	}
	return i, nil
}

// address is a register or symbol and a number of bytes behind it.
func (k *Kernel) address(text string) (base operand, offset uint64, err error) {
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no address", text)
	}
	name, by, plus := strings.Cut(strings.TrimSuffix(inner, "]"), "+")
	if plus {
		if offset, ok = immediate(by); !ok {
			return 0, 0, fmt.Errorf("%q is no address", text)
		}
	}
	base, err = k.value(name)
	return base, offset, err
}
