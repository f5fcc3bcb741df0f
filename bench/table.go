package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"mdp/engine/sensor"
)

// Table is a file of measured configurations, latency.jsonl: a header, then one
// row a line, those that were measured together on disk before the next are written:
// the disk takes its time while those are measured. One process at a time has it open; ReadTable reads it beside.
type Table struct {
	Sensor    sensor.Sensor // read after each row, unless nil
	InNetwork *InNetwork    // timed after a row where its share of the time allows, unless nil

	header Header
	rows   map[string]Row
	file   *os.File
	size   int64 // of the header and whole rows
	notice string

	syncing chan error // tells of the last rows, once the disk has them; nil when it has
	last    []Row
	before  int64 // the size without them
}

// OpenTable opens the table at path, or starts one. It drops a last line whose
// writing was cut off (see Notice), and refuses a file that is not a table, one
// with a damaged row, one that was measured under another header (an
// OtherHeaderError), and one that another process has open. A refused file is left as it is.
func OpenTable(path string, h Header) (*Table, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open latency table: %w", err)
	}
	t := &Table{header: h, rows: map[string]Row{}, file: f}
	if err := t.resume(); err != nil {
		f.Close()
		return nil, fmt.Errorf("latency table %s: %w", path, err)
	}
	return t, nil
}

func (t *Table) resume() error {
	err := syscall.Flock(int(t.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another process is measuring into it; wait for that one, or measure into another folder")
	}
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	data, err := io.ReadAll(t.file)
	if err != nil {
		return err
	}
	c, err := parse(data)
	if err != nil {
		return err
	}
	if c.good > 0 {
		if err := c.header.Check(t.header); err != nil {
			return err
		}
		t.header = c.header
	}
	t.size = int64(c.good)
	if c.torn > 0 {
		if err := t.cut(); err != nil {
			return err
		}
		t.notice = fmt.Sprintf("the last line was cut off after %d bytes; dropped it, %d rows are whole", c.torn, len(c.rows))
	}
	for _, r := range c.rows {
		t.rows[r.Key] = r
	}
	if c.good > 0 {
		return nil
	}
	if err := t.write(t.header); err != nil {
		return err
	}
	if err := t.file.Sync(); err != nil {
		return t.unwritten(err)
	}
	return syncFolder(filepath.Dir(t.file.Name()))
}

// Notice says what was put right when the table was opened, "" if nothing.
func (t *Table) Notice() string { return t.notice }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Find is the row of a key.
func (t *Table) Find(key string) (Row, bool) {
	r, ok := t.rows[key]
	return r, ok
}

// Rows of the table, in no order.
func (t *Table) Rows() []Row { return slices.Collect(maps.Values(t.rows)) }

// Close lets other processes have the table.
func (t *Table) Close() error { return errors.Join(t.settle(), t.file.Close()) }

// append writes rows and has them on their way to the disk: settle waits for that.
func (t *Table) append(rows ...Row) error {
	if err := t.settle(); err != nil {
		return err
	}
	lines := make([]any, len(rows))
	for i, r := range rows {
		if _, ok := t.rows[r.Key]; ok {
			panic("bench: the table already has a row " + r.Key)
		}
		lines[i] = r
	}
	before := t.size
	if err := t.write(lines...); err != nil {
		return err
	}
	t.last, t.before, t.syncing = rows, before, make(chan error, 1)
	for _, r := range rows {
		t.rows[r.Key] = r
	}
	go func(told chan<- error) { told <- t.file.Sync() }(t.syncing)
	return nil
}

// settle waits until the disk has the last rows. If it will not, the table is as
// without them.
func (t *Table) settle() error {
	if t.syncing == nil {
		return nil
	}
	err := <-t.syncing
	t.syncing = nil
	if err == nil {
		return nil
	}
	for _, r := range t.last {
		delete(t.rows, r.Key)
	}
	t.size = t.before
	return t.unwritten(err)
}

// write adds lines. Whatever fails, the file ends as it did before.
func (t *Table) write(values ...any) error {
	var lines []byte
	for _, v := range values {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if _, err := t.file.WriteAt(lines, t.size); err != nil {
		return t.unwritten(err)
	}
	t.size += int64(len(lines))
	return nil
}

// unwritten puts the file back to the whole rows.
func (t *Table) unwritten(err error) error {
	return errors.Join(fmt.Errorf("write a row: %w; the table keeps its %d rows", err, len(t.rows)), t.cut())
}

// cut drops what lies beyond the whole rows.
func (t *Table) cut() error {
	if err := t.file.Truncate(t.size); err != nil {
		return fmt.Errorf("drop the unfinished line: %w", err)
	}
	return nil
}

// ReadTable reads a table that may still be growing, rows in the order they
// were measured; a last line that is being written is left out.
func ReadTable(path string) (Header, []Row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Header{}, nil, fmt.Errorf("read latency table: %w", err)
	}
	c, err := parse(data)
	if err == nil && c.good == 0 {
		err = fmt.Errorf("it is empty; measure first")
	}
	if err != nil {
		return Header{}, nil, fmt.Errorf("latency table %s: %w", path, err)
	}
	return c.header, slices.Clip(c.rows), nil
}

// syncFolder makes a new file's name as durable as the file.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
