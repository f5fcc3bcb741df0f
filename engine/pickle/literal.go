package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// literal pushes a number or a text that is spelled out.
func (m *machine) literal(op byte) error {
	switch op {
	case 'J', 'K', 'M': // BININT: 4 bytes with a sign, 1, 2
		n, err := m.uint32(map[byte]int{'J': 4, 'K': 1, 'M': 2}[op])
		if err != nil {
			return err
		}
		v := int64(n)
		if op == 'J' {
			v = int64(int32(n))
		}
		m.push(v)
	case 'I', 'L': // INT, LONG
		s, err := m.line()
		if err != nil {
			return err
		}
		if op == 'I' && (s == "00" || s == "01") {
			m.push(s == "01")
			return nil
		}
		if s = strings.TrimSuffix(s, "L"); len(s) > maxDigits { // the time that they take grows with their square
			return fmt.Errorf("an integer of %d digits", len(s))
		}
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return fmt.Errorf("%.20q is no integer", s)
		}
		m.push(small(n))
	case 0x8a, 0x8b: // LONG1, LONG4
		return m.long(map[byte]int{0x8a: 1, 0x8b: 4}[op])
	case 'F': // FLOAT
		s, err := m.line()
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%.20q is no number", s)
		}
		m.push(v)
	case 'G': // BINFLOAT
		b, err := m.bytes(8)
		if err != nil {
			return err
		}
		m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 'S': // STRING: of Python 2, quoted
		s, err := m.line()
		if err != nil {
			return err
		}
		v, err := unquote(s)
		if err != nil {
			return err
		}
		m.push(v)
	case 'V': // UNICODE
		s, err := m.line()
		if err != nil {
			return err
		}
		v, err := unescape(s)
		if err != nil {
			return err
		}
		m.push(v)
	case 'X', 0x8c, 0x8d, 'T', 'U': // BINUNICODE, and BINSTRING of Python 2
		b, err := m.sized(map[byte]int{'X': 4, 0x8c: 1, 0x8d: 8, 'T': 4, 'U': 1}[op])
		if err != nil {
			return err
		}
		if !utf8.Valid(b) && op != 'T' && op != 'U' {
			return errors.New("a text is not UTF-8")
		}
		m.push(string(b))
	case 'B', 'C', 0x8e, 0x96: // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
		b, err := m.sized(map[byte]int{'B': 4, 'C': 1, 0x8e: 8, 0x96: 8}[op])
		if err != nil {
			return err
		}
		m.push(Bytes(b))
	default:
		return fmt.Errorf("opcode 0x%02x is none that is read here", op)
	}
	return nil
}

// maxDigits bounds an integer, in decimal digits or in bytes.
const maxDigits = 1000

// long pushes an integer of so many bytes as the next n say, low ones first, in
// two's complement.
func (m *machine) long(n int) error {
	b, err := m.sized(n)
	if err != nil {
		return err
	}
	if len(b) > maxDigits {
		return fmt.Errorf("an integer of %d bytes", len(b))
	}
	negative := len(b) > 0 && b[len(b)-1] >= 0x80
	b = slices.Clone(b)
	slices.Reverse(b)
	v := new(big.Int).SetBytes(b)
	if negative {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	m.push(small(v))
	return nil
}

// small is n as an int64 where it is one.
func small(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// sized reads as many bytes as the next n bytes say.
func (m *machine) sized(n int) ([]byte, error) {
	b, err := m.bytes(int64(n))
	if err != nil {
		return nil, err
	}
	var size [8]byte
	copy(size[:], b)
	length := binary.LittleEndian.Uint64(size[:])
	if length > math.MaxInt64 {
		return nil, fmt.Errorf("a length of %d bytes", length)
	}
	return m.bytes(int64(length))
}

// bytes reads n bytes. It takes memory for what is there, not for what is said
// to be.
func (m *machine) bytes(n int64) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.CopyN(&b, m.r, min(n, m.left+1))
	m.at += got
	if e := m.charge(got); e != nil {
		return nil, e
	}
	return b.Bytes(), err
}

func (m *machine) skip(n int64) (int64, error) {
	got, err := io.CopyN(io.Discard, m.r, n)
	m.at += got
	return got, err
}

// uint32 reads n ≤ 4 bytes, low ones first.
func (m *machine) uint32(n int) (uint32, error) {
	b, err := m.bytes(int64(n))
	if err != nil {
		return 0, err
	}
	var all [4]byte
	copy(all[:], b)
	return binary.LittleEndian.Uint32(all[:]), nil
}

// line reads to the end of the line and leaves that away.
func (m *machine) line() (string, error) {
	s, err := m.r.ReadString('\n')
	m.at += int64(len(s))
	if e := m.charge(int64(len(s))); e != nil {
		return "", e
	}
	return strings.TrimSuffix(s, "\n"), err
}

// index reads a line with a number that something is remembered as.
func (m *machine) index() (uint32, error) {
	s, err := m.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%.20q is no index", s)
	}
	return uint32(n), nil
}

// unquote reads a string as Python 2 printed it.
func unquote(s string) (string, error) {
	bad := fmt.Errorf("%.20q is no quoted text", s)
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", bad
	}
	quote, rest := s[0], s[1:len(s)-1]
	var out []byte
	for rest != "" {
		if rest[0] == '\\' && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"') {
			out, rest = append(out, rest[1]), rest[2:]
			continue
		}
		c, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", bad
		}
		if rest = tail; multibyte {
			out = utf8.AppendRune(out, c)
		} else {
			out = append(out, byte(c))
		}
	}
	return string(out), nil
}

// unescape reads a text whose only escapes are \uXXXX and \UXXXXXXXX; the other
// bytes are Latin-1.
func unescape(s string) (string, error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		digits := 0
		if s[i] == '\\' && i+1 < len(s) {
			digits = map[byte]int{'u': 4, 'U': 8}[s[i+1]]
		}
		if digits == 0 {
			out = utf8.AppendRune(out, rune(s[i]))
			continue
		}
		if i+2+digits > len(s) {
			return "", fmt.Errorf("%.20q ends within an escape", s)
		}
		n, err := strconv.ParseUint(s[i+2:i+2+digits], 16, 32)
		if err != nil || n > utf8.MaxRune {
			return "", fmt.Errorf("%.20q holds an escape that is none", s)
		}
		out = utf8.AppendRune(out, rune(n))
		i += 1 + digits
	}
	return string(out), nil
}
