package pytorch

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path"

	"mdp/engine/dtype"
	"mdp/engine/pickle"
)

// maxPickle bounds a file's pickle, which says what the numbers mean: a tensor
// takes about 200 bytes of it.
const maxPickle = 64 << 20

// room is what a pickle's values may take in memory, in a file of that many bytes.
func room(size int64) int64 { return size + 16<<20 }

// storage is a row of numbers in a file, parts of which are tensors.
type storage struct {
	kind  dtype.Type
	bytes int64
	at    io.ReaderAt
	whole *zip.File // the same with a checksum, of a zip archive
}

// storages are a file's, by key. They are noted as its pickle names them.
type storages map[string]*storage

// load takes what a pickle says of a storage:
// ("storage", class, key, device, elements[, …]).
func (all storages) load(id any) (any, error) {
	t, ok := id.(pickle.Tuple)
	if !ok || len(t) < 5 || t[0] != "storage" {
		return nil, fmt.Errorf("%s names no storage", word(id))
	}
	class, ok := t[1].(pickle.Global)
	key, ok2 := t[2].(string)
	if !ok || !ok2 {
		return nil, fmt.Errorf("storage %s of class %s", word(t[2]), word(t[1]))
	}
	kind := classes[class.Name]
	s, seen := all[key]
	switch {
	case !seen:
		s = &storage{kind: kind}
		all[key] = s
	case s.kind != kind:
		return nil, fmt.Errorf("storage %.80q is of two types", key)
	}
	return s, nil
}

// classes are the types of numbers by the names of PyTorch's storage classes.
var classes = map[string]dtype.Type{
	"HalfStorage": dtype.F16, "BFloat16Storage": dtype.BF16, "FloatStorage": dtype.F32, "DoubleStorage": dtype.F64,
	"CharStorage": dtype.I8, "ShortStorage": dtype.I16, "IntStorage": dtype.I32, "LongStorage": dtype.I64,
	"ByteStorage": dtype.U8, "BoolStorage": dtype.Bool,
}

// openZip opens what torch.save has written since version 1.6: a zip archive of
// name/data.pkl and, for each storage, name/data/key, none of it compressed.
func (c *Checkpoint) openZip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	files := map[string]*zip.File{}
	var data *zip.File
	for _, f := range z.File {
		if f.Method != zip.Store {
			return fmt.Errorf("%.80q is compressed, which torch.save does not do", f.Name)
		}
		files[f.Name] = f
		if path.Base(f.Name) == "data.pkl" {
			if data != nil {
				return fmt.Errorf("two pickles, %.80q and %.80q: torch.save writes one", data.Name, f.Name)
			}
			data = f
		}
	}
	if data == nil {
		return errors.New("a zip archive without data.pkl: torch.save did not write it")
	}
	root := path.Dir(data.Name)
	if f := files[path.Join(root, "byteorder")]; f != nil {
		if order, err := readAll(f, size); err != nil || string(order) != "little" {
			return fmt.Errorf("byte order %.20q: only little endian is read", order)
		}
	}
	b, err := readAll(data, size)
	if err != nil {
		return err
	}
	all := storages{}
	v, err := pickle.ReadPersistent(bufio.NewReader(bytes.NewReader(b)), room(size), all.load)
	if err != nil {
		return err
	}
	for key, s := range all {
		f := files[path.Join(root, "data", key)]
		if f == nil {
			return fmt.Errorf("the archive has no %.80q", "data/"+key)
		}
		offset, err := f.DataOffset()
		if err != nil {
			return err
		}
		s.bytes = int64(f.UncompressedSize64)
		if s.bytes < 0 || s.bytes > size-offset {
			return fmt.Errorf("%.80q of %d bytes is cut off", "data/"+key, f.UncompressedSize64)
		}
		s.at, s.whole = io.NewSectionReader(r, offset, s.bytes), f
	}
	return c.collect(v, size)
}

// readAll reads a small file of an archive of so many bytes.
func readAll(f *zip.File, size int64) ([]byte, error) {
	if f.UncompressedSize64 > maxPickle {
		return nil, fmt.Errorf("%.80q is over %d bytes", f.Name, maxPickle)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(min(f.UncompressedSize64, uint64(size))) + bytes.MinRead)
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}

// magic begins what torch.save wrote before 1.6.
var magic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// openLegacy opens what torch.save wrote before version 1.6: pickles of a magic
// number, a version, the machine, the value and the storages' keys, then for each
// of these the number of its elements and its bytes.
func (c *Checkpoint) openLegacy(r io.ReaderAt, size int64) error {
	at := &counter{r: io.NewSectionReader(r, 0, min(size, maxPickle))}
	b := bufio.NewReader(at)
	all := storages{}
	var parts [5]any
	for i := range parts {
		var err error
		if parts[i], err = pickle.ReadPersistent(b, room(size), all.load); err != nil {
			return fmt.Errorf("no file of torch.save's: %w", err)
		}
		if n, ok := parts[0].(*big.Int); !ok || n.Cmp(magic) != 0 {
			return errNoTorch
		}
	}
	if machine, ok := parts[2].(*pickle.Dict); ok {
		if little, ok := machine.Get("little_endian"); ok && little != true {
			return errors.New("only little endian is read")
		}
	}
	keys, ok := parts[4].(*pickle.List)
	if !ok {
		return errors.New("no file of torch.save's: the list of its storages is missing")
	}
	offset := at.n - int64(b.Buffered())
	for _, k := range keys.Items {
		key, _ := k.(string)
		s := all[key]
		if s == nil || s.at != nil || s.kind == "" {
			return fmt.Errorf("storage %.80q is unknown, of an unknown type or there twice", key)
		}
		var word [8]byte
		if _, err := r.ReadAt(word[:], offset); err != nil {
			return fmt.Errorf("storage %.80q is cut off", key)
		}
		n, width := binary.LittleEndian.Uint64(word[:]), int64(s.kind.Size())
		if offset += 8; n > uint64((size-offset)/width) {
			return fmt.Errorf("storage %.80q of %d elements is cut off", key, n)
		}
		s.bytes = int64(n) * width
		s.at = io.NewSectionReader(r, offset, s.bytes)
		offset += s.bytes
	}
	for key, s := range all {
		if s.at == nil {
			return fmt.Errorf("storage %.80q is missing", key)
		}
	}
	return c.collect(parts[3], size)
}

// counter counts what is read of a file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
